import Foundation
import TestSupport
import Testing

/// Values of a database's settings may be secrets: besides the archive itself `database.sql` alone has them.
@Suite struct SettingValuesTests {
  private static let secret = "S3CR3T é\n-- setting: {\"name\":\"work_mem\"} ';"

  private func withSecret(_ body: (Workbench, _ id: String) throws -> Void) throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let value = Self.secret.replacing("'", with: "''")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) SET app.secret = '\(value)'")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) SET search_path = \"$user\", public, \"a b\"")
      try bench.cluster.psql("ALTER ROLE postgres IN DATABASE \(bench.database) SET work_mem = '7MB'")
      try body(bench, try bench.backUp())
    }
  }

  private func settings(of name: String, _ bench: Workbench) throws -> String {
    try bench.cluster.psql(
      """
      SELECT setrole, c FROM pg_db_role_setting, unnest(setconfig) c
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = '\(name)') ORDER BY 1, 2
      """)
  }

  @Test func `they are restored, and no other file has them`() throws {
    try withSecret { bench, id in
      // pg_dump itself writes them into its table of contents.
      let having = try shell("grep -rl S3CR3T '\(bench.path(of: id))'/* | grep -v /data/toc.dat", in: bench.folder)
      #expect(having.stdout == "\(bench.path(of: id))/database.sql\n", "\(having.stdout)")
      for command in [["show", id, "--json"], ["list", "--json"]] {
        #expect(!(try ProgramRun(command + ["--policies", bench.policies]).stdout.contains("S3CR3T")))
      }
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      let expected = try settings(of: bench.database, bench)
      #expect(try settings(of: copy, bench) == expected && expected.contains("S3CR3T é"), "\(expected)")
    }
  }

  @Test func `psql restores them from the same file`() throws {
    try withSecret { bench, id in
      let copy = bench.newDatabaseName()
      try bench.createDatabase(copy)
      let psql =
        "'\(bench.cluster.binaries)/psql' -Xq -v ON_ERROR_STOP=1 -h '\(bench.cluster.socket)' -p \(bench.cluster.port)"
      let run = try shell(
        "\(psql) -U postgres -v database=\(copy) -d postgres -f '\(bench.path(of: id))/database.sql'", in: bench.folder)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(try settings(of: copy, bench) == settings(of: bench.database, bench))
    }
  }

  @Test(arguments: [
    "rm database.sql", "sed -i s/7MB/8MB/ database.sql", "sed -i '/^-- setting/d' database.sql",
    "rm database.sql; ln -s /etc/passwd database.sql",
  ])
  func `others than those that were backed up are never restored`(damage: String) throws {
    try withSecret { bench, id in
      let copy = bench.newDatabaseName()
      #expect(try shell(damage, in: bench.path(of: id)).exit == 0)
      let run = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(run.exit == 65, "\(run.stdout)")
      #expect(!(try bench.cluster.databases().contains { $0.hasPrefix(copy) }))
    }
  }

  @Test func `a backup of an older version has them in its manifest, and is restored`() throws {
    try BackupFiles.with { files in
      let (bench, copy) = (files.bench, files.bench.newDatabaseName())
      try bench.cluster.psql("ALTER DATABASE \(bench.database) SET work_mem = '9MB'")
      let id = try bench.backUp()
      let old = try shell(
        """
        set -e; m=manifest.json
        sed -i 's/"name" : "work_mem"/&, "value" : "9MB"/' $m; grep -q 9MB $m
        sum=$(sha256sum $m | cut -d' ' -f1); sed -i "s/^[0-9a-f]*  manifest.json/$sum  manifest.json/" SHA256SUMS
        """, in: bench.path(of: id))
      #expect(old.exit == 0, "\(old.stderr)")
      #expect(try bench.holdfast("restore", id, "--into", copy).exit == 0)
      #expect(try settings(of: copy, bench) == "0|work_mem=9MB")
    }
  }
}
