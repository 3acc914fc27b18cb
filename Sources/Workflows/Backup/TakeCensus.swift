import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// The census: what the catalogs have, against what was dumped, or would be.
struct TakeCensus {
  let session: Session
  let policy: Policy
  let facts: ServerFacts
  let excluded: ExcludedRows?

  /// Of a dump that was taken, in its own snapshot.
  ///
  func run(_ archive: DumpedArchive, _ properties: DatabaseProperties) throws(Failure) -> Census {
    let reader = CensusReader(session, excluded: excluded?.identifiers ?? [])
    let dumped = archive.digests.tables.filter { $0.rows > 0 }.map {
      DatabaseObject(.table, schema: $0.schema, name: $0.name)
    }
    // Names in other bytes cannot be compared.
    let isUnicode = properties.dumpEncoding.isEmpty
    var census = try reader.rules(dumped: isUnicode ? Set(dumped) : nil, asksForSubscriptions: false)
    census.missing =
      lacking(archive.objects, archive.digests, of: try reader.objects(), comparesNames: isUnicode) + census.missing
    census.notes += passwords
    return census
  }

  /// Before any dump: what is known to stay out of it.
  func foresee() throws(Failure) -> Census {
    var census = try CensusReader(session, excluded: excluded?.identifiers ?? []).rules(
      dumped: nil, asksForSubscriptions: true)
    census.notes += passwords
    return census
  }

  private var passwords: [CensusEntry] {
    guard policy.backup.globals == .whole, !facts.superuser else { return [] }
    return [CensusEntry(kind: .rolePasswords, name: "all roles", why: "only a superuser may read them")]
  }
}
