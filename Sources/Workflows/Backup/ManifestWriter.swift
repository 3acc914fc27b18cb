import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// Writes what stands beside the data, and makes the manifest.
struct ManifestWriter {
  let policy: Policy
  let source: BackupSource
  let partial: PartialBackup
  let surroundings: Surroundings

  /// Where it is written, and whether the policy is of a new database from here on.
  struct Place {
    var repository: String?
    var isKnownDatabase: Bool
  }

  func write(
    _ captured: CapturedDump, reason: String, started: Date, binding: TakeBackup.Binding?, place: Place,
    wayBack: Manifest.WayBack?
  ) throws(Failure) -> Manifest {
    let sql = try partial.write(try databaseSQL(captured.properties), to: DatabaseSQL.name)
    var manifest = Manifest(
      id: partial.id, policy: policy.name, environment: policy.environment, reason: reason, createdAt: started,
      finishedAt: started, holdfast: holdfastVersion, source: sourceRecord(captured), tools: tools,
      format: policy.backup.format, compression: policy.backup.compression.name, snapshot: captured.snapshot,
      files: [captured.globals, sql].compactMap { $0 } + captured.archive.files,
      digests: captured.archive.digests,
      needs: captured.needs, excludeTableData: captured.leftOut, timings: captured.archive.timings)
    manifest.excludeQualified = captured.excluded
    manifest.take(captured.census)
    manifest.deploy = binding?.deploy
    manifest.wayBack = wayBack
    manifest.activity = captured.activity
    manifest.resolvedUses = captured.uses
    manifest.repository = place.repository
    manifest.newDatabase = place.isKnownDatabase
    if captured.history != nil || binding != nil {
      manifest.migrations = try Manifest.Migrations(captured.history ?? [], folder: binding?.folder)
    }
    manifest.files.append(try partial.write(RestoreGuide(manifest).text, to: "RESTORE.md"))
    manifest.files.sort { $0.path < $1.path }
    manifest.finishedAt = surroundings.now()
    return manifest
  }

  private func databaseSQL(_ properties: DatabaseProperties) throws(Failure) -> String {
    do { return try DatabaseSQL.text(properties) } catch {
      throw .internalError("a setting cannot be written: \(error)")
    }
  }

  private var tools: [Manifest.Tool] {
    let version = source.toolbox.installation.version.description
    return ["pg_dump", "pg_dumpall", "pg_restore"].map { Manifest.Tool(name: $0, version: version) }
  }

  private func sourceRecord(_ captured: CapturedDump) -> Manifest.Source {
    Manifest.Source(
      systemIdentifier: source.facts.systemIdentifier, database: source.target.database, oid: captured.oid,
      serverVersion: source.facts.version, serverVersionNumber: source.facts.versionNumber,
      host: source.target.endpoint, standby: source.facts.standby, bytes: captured.databaseBytes,
      properties: captured.properties)
  }
}
