import Foundation
import TestSupport
import Testing

/// RESTORE.md does what it says, in the hands of somebody who has PostgreSQL's programs and no Holdfast.
@Suite struct RestoreGuideTests {
  private static let sql = """
    CREATE TABLE t (id serial PRIMARY KEY, s text); INSERT INTO t (s) SELECT 'row ' || n FROM generate_series(1, 50) n;
    CREATE VIEW v AS SELECT count(*) FROM t; SELECT lo_from_bytea(0, 'large');
    """

  @Test(arguments: [
    "auto", "none", "gzip", "auto, format: custom", "gzip, format: plain", "none, format: plain",
  ])
  func `the commands of RESTORE md, pasted into a shell as they stand, give an equal database`(
    compression: String
  ) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {compression: \(compression)}") { bench in
      let odd = "odd 'q\"uote\\"
      let owner = "owner_\(bench.database)"
      try bench.cluster.psql(
        """
        CREATE ROLE \(owner); ALTER DATABASE \(bench.database) OWNER TO \(owner);
        ALTER DATABASE \(bench.database) SET search_path = "$user", public, "odd 'schema";
        ALTER ROLE \(owner) IN DATABASE \(bench.database) SET work_mem = '8MB';
        GRANT CONNECT ON DATABASE \(bench.database) TO \(owner) WITH GRANT OPTION;
        REVOKE ALL ON DATABASE \(bench.database) FROM PUBLIC;
        COMMENT ON DATABASE \(bench.database) IS E'it''s :"target" \\\\ $x `y`';
        ALTER DATABASE \(bench.database) CONNECTION LIMIT 17
        """)
      defer { dropOwner(bench, owner) }
      let folder = bench.path(of: try bench.backUp())
      let guide = try String(contentsOfFile: "\(folder)/RESTORE.md", encoding: .utf8)
      for target in [bench.newDatabaseName("by hand"), bench.newDatabaseName(odd)] {
        let script = commands(of: guide).replacing("target=restored", with: "target=\(quoted(target))")
        let run = try shell(
          "set -eu\n" + script, in: folder,
          environment: [
            "PGHOST": bench.cluster.socket, "PGPORT": "\(bench.cluster.port)", "PGUSER": "postgres",
          ])
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
        #expect(try bench.differences(target) == "")
      }
      #expect(try bench.holdfast("verify", "--level", "checksum").exit == 0)
    }
  }

  @Test func `globals bring the roles back on another server`() throws {
    let other = try TestCluster()
    defer { other.stop() }
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let role = "reader_\(bench.database)"
      try bench.cluster.psql(
        "CREATE ROLE \(role) LOGIN CONNECTION LIMIT 3 PASSWORD 'x'; GRANT SELECT ON t TO \(role)",
        database: bench.database)
      defer { dropOwner(bench, role) }
      let id = try bench.backUp()
      let copy = "restored"
      try bench.writePolicy(url: other.url("postgres"))
      let refused = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(refused.exit == 69)
      #expect(refused.json.string("error", "code") == "restore_needs")
      #expect((refused.json.array("error", "details") ?? []).contains { "\($0)".contains("role \"\(role)\"") })
      #expect(try other.databases().isEmpty)
      _ = try shell(
        "psql -X -q -d postgres -f '\(bench.path(of: id))/globals.sql'", in: "/",
        environment: [
          "PGHOST": other.socket, "PGPORT": "\(other.port)", "PGUSER": "postgres",
        ])
      let facts = "SELECT rolconnlimit, rolpassword LIKE 'SCRAM%' FROM pg_authid WHERE rolname = '\(role)'"
      #expect(try other.psql(facts) == "3|t")
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
    }
  }

  /// The blocks between fences, as they stand there: indented, when they are.
  private func commands(of guide: String) -> String {
    var inside = false
    var lines: [Substring] = []
    for line in guide.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        inside.toggle()
      } else if inside {
        lines.append(line)
      }
    }
    return lines.joined(separator: "\n")
  }

  private func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

  private func dropOwner(_ bench: Workbench, _ role: String) {
    let disown = "REASSIGN OWNED BY \(role) TO postgres; DROP OWNED BY \(role)"
    _ = try? bench.cluster.psql(disown, database: bench.database)
    for name in (try? bench.cluster.databases()) ?? [] where name.hasPrefix(bench.database) {
      let quoted = name.replacing("\"", with: "\"\"")
      _ = try? bench.cluster.psql("DROP DATABASE \"\(quoted)\"")
    }
    _ = try? bench.cluster.psql("DROP ROLE \(role)")
  }
}
