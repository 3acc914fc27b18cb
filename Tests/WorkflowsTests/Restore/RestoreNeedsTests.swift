import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing
import Workflows

/// What a server has to have for a restore is known before anything is made on it.
@Suite struct RestoreNeedsTests {
  @Test func `missing roles, tablespaces and extensions are listed together before anything is created`() throws {
    let cluster = try TestCluster(settings: ["allow_in_place_tablespaces=on"])
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, sql: "CREATE TABLE t (a int)") { bench in
      let (role, space) = ("gone_\(bench.database)", "space_\(bench.database)")
      try bench.cluster.psql("CREATE ROLE \(role)")
      try bench.cluster.psql("CREATE TABLESPACE \(space) LOCATION ''")
      try bench.cluster.psql(
        "CREATE TABLE far (a int) TABLESPACE \(space); ALTER TABLE far OWNER TO \(role); GRANT SELECT ON t TO \(role)",
        database: bench.database)
      let id = try bench.backUp()
      for sql in ["DROP DATABASE \(bench.database)", "DROP TABLESPACE \(space)", "DROP ROLE \(role)"] {
        try bench.cluster.psql(sql)
      }
      try bench.writePolicy(url: bench.cluster.url("postgres"))
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 69)
      #expect(run.json.string("error", "code") == "restore_needs")
      let details = "\(run.json.array("error", "details") ?? [])"
      #expect(details.contains(role) && details.contains(space))
      #expect(try cluster.databases().isEmpty)

      // An extension cannot be taken from a server by SQL: the backup is told that it needs one.
      var backup = try BackupFiles(bench: bench, id: id).backup()
      backup.manifest.needs.extensions.append(Manifest.Needs.Extension(name: "no_such_extension", version: "1"))
      let failure = #expect(throws: Failure.self) {
        try restore(backup, bench).run(backup, into: "never", proof: .digest, analyze: true)
      }
      #expect(failure?.details.count == 3)
      #expect(failure?.details.contains { $0.contains("no_such_extension") } == true)
    }
  }

  @Test func `a backup of a newer server is refused by an older one`() throws {
    try Workbench.with { bench in
      let id = try bench.backUp()
      var backup = try BackupFiles(bench: bench, id: id).backup()
      backup.manifest.source.serverVersionNumber = 990_001
      let failure = #expect(throws: Failure.self) {
        try restore(backup, bench).run(backup, into: "never", proof: .digest, analyze: true)
      }
      #expect(failure?.code == "newer_source")
      #expect(failure?.exit == .configuration)
    }
  }

  private func restore(_ backup: Backup, _ bench: Workbench) throws -> RestoreBackup {
    let policy = Policy(
      name: "app", environment: "test", target: try ConnectionURL.parse(Secret(bench.cluster.url("postgres"))),
      repository: bench.repository)
    return try RestoreBackup(
      policy: policy,
      surroundings: Surroundings(cancellation: Cancellation(), log: .silent, reporter: SilentReporter()))
  }
}
