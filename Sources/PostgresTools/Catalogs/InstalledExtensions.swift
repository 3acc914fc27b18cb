import BackupModel
import Diagnostics

/// The extensions of a database: their versions, and what belongs to them.
///
/// A dump names neither: `CREATE EXTENSION` makes the version that the server has as its default, with the objects of its script.
package struct InstalledExtensions: Sendable {
  package var versions: [String: String] = [:]
  /// Of each extension, as `pg_identify_object` has them, with a digest of the definition, where the server gives one.
  package var members: [String: [String: String]] = [:]

  package init(_ session: Session) throws(Failure) {
    let rows = try session.query(
      """
      SELECT e.extname, e.extversion, o.type || ' ' || o.identity, CASE WHEN f.prokind IN ('f', 'p', 'w')
        THEN pg_catalog.md5(pg_catalog.concat(pg_catalog.pg_get_functiondef(f.oid), f.probin)) END
      FROM pg_catalog.pg_extension e
      LEFT JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND d.refobjid = e.oid AND d.deptype = 'e'
      LEFT JOIN pg_catalog.pg_proc f ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.oid = d.objid
      LEFT JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) o ON true
      """)
    for values in rows {
      let row = try Row(values)
      let name = try row.text(0)
      versions[name] = try row.text(1)
      if let member = row[2] { members[name, default: [:]][member] = row[3] ?? "" }
    }
  }

  /// Extensions that both have, in unlike versions: a sentence for each.
  package func unlike(_ expected: [Manifest.Needs.Extension]) -> [String] {
    expected.sorted { $0.name < $1.name }.compactMap { wanted in
      guard let version = versions[wanted.name], version != wanted.version else { return nil }
      return
        "extension \(quoteIdentifier(wanted.name)): version \(version) is installed by a restore on this server; it was \(wanted.version)"
    }
  }

  /// What this database loses when its extensions are as in another one, which a dump has made: a sentence for each.
  package func changes(to restored: InstalledExtensions) -> [String] {
    let own = versions.map { Manifest.Needs.Extension(name: $0.key, version: $0.value) }
    let lost = members.sorted { $0.key < $1.key }.flatMap { name, objects -> [String] in
      guard versions[name] == restored.versions[name] else { return [] }
      let made = restored.members[name] ?? [:]
      return objects.sorted { $0.key < $1.key }.compactMap { object, definition in
        guard made[object] != definition else { return nil }
        let how = made[object] == nil ? "was added to" : "was changed, and belongs to"
        return "\(object): it \(how) extension \(quoteIdentifier(name)), and no dump has it"
      }
    }
    return restored.unlike(own) + lost
  }
}
