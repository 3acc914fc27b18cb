import BackupModel
import Diagnostics
import PostgresTools
import TestSupport
import Testing

@Suite struct ServerReaderTests {
  @Test func `properties of megabytes are refused, and not read`() throws {
    try Workbench.with { bench in
      try bench.cluster.psql(
        """
        DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), repeat('x', 2000000)); END $$
        """, database: bench.database)
      let run = try bench.holdfast("backup")
      #expect(run.exit == 1 && run.stderr.contains("more than 1 MiB"), "\(run.stderr)")
    }
  }

  @Test func `reads the facts of a server, as an ordinary role too`() throws {
    let role = try LoginServer.role()
    for user in ["postgres", role] {
      let session = try LoginServer.connect(user: user)
      let facts = try ServerReader(session).facts()
      #expect(facts.versionNumber == session.serverVersion)
      #expect(facts.version.hasPrefix("\(facts.major)."))
      #expect(
        facts.systemIdentifier == (try LoginServer.shared.psql("SELECT system_identifier FROM pg_control_system()")))
      #expect(!facts.standby && !facts.pooled)
      #expect(facts.superuser == (user == "postgres"))
      #expect(facts.bypassesRowSecurity == (user == "postgres"))
    }
  }

  @Test func `the snapshot is that of the session's transaction`() throws {
    let session = try LoginServer.connect()
    try session.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
    let first = try ServerReader(session).snapshot(standby: false)
    try LoginServer.shared.psql("SELECT pg_current_xact_id()")
    #expect(try ServerReader(session).snapshot(standby: false).pgCurrentSnapshot == first.pgCurrentSnapshot)
    #expect(first.walLsn.contains("/"))
  }

  @Test func `properties that were read make a database with the same properties`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      let (owner, other) = (try LoginServer.role(), try LoginServer.role())
      try bench.cluster.psql(
        #"""
        ALTER DATABASE "\#(bench.database)" OWNER TO \#(owner);
        ALTER DATABASE "\#(bench.database)" CONNECTION LIMIT 7;
        COMMENT ON DATABASE "\#(bench.database)" IS E'it''s \\ "odd" '
          '́ü
        two lines';
        REVOKE ALL ON DATABASE "\#(bench.database)" FROM PUBLIC;
        GRANT CREATE ON DATABASE "\#(bench.database)" TO \#(other) WITH GRANT OPTION;
        ALTER DATABASE "\#(bench.database)" SET search_path = "$user", "a ""b"", c", public;
        ALTER DATABASE "\#(bench.database)" SET "app.x" = 'a, ''b'' \ "c"';
        ALTER ROLE \#(other) IN DATABASE "\#(bench.database)" SET work_mem = '5MB';
        """#)
      let properties = try self.properties(of: bench.database)
      #expect(properties.owner == owner)
      #expect(properties.connectionLimit == 7)
      #expect(properties.settings.count == 3)
      #expect(properties.privileges?.contains { $0.grantee == other && $0.grantable } == true)
      let name = bench.newDatabaseName()
      let fragment = SQLFragment(identifier: name)
      let session = try LoginServer.connect()
      for sql in [properties.createStatement(name: fragment, major: 15)] + properties.statements(name: fragment) {
        try session.query(sql)
      }
      #expect(try self.properties(of: name) == properties)
    }
  }

  @Test func `a database with nothing set has default privileges and no settings`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      let properties = try properties(of: bench.database)
      #expect(properties.privileges == nil)
      #expect(properties.settings.isEmpty)
      #expect(properties.comment == nil)
      #expect(properties.encoding == "UTF8")
    }
  }

  @Test func `knows the roles, extensions and tablespaces that a database needs, and which a server lacks`() throws {
    let (owner, granted, set) = (try LoginServer.role(), try LoginServer.role(), try LoginServer.role())
    let space = "space_\(owner)"
    let allow = "SET allow_in_place_tablespaces = on"
    let session = try LoginServer.connect()
    let canMakeSpace = (try? session.query(allow)) != nil
    if canMakeSpace { try session.query("CREATE TABLESPACE \(space) LOCATION ''") }
    let sql = """
      CREATE TABLE t (id int)\(canMakeSpace ? " TABLESPACE \(space)" : "");
      ALTER TABLE t OWNER TO \(owner);
      GRANT SELECT ON t TO \(granted), pg_monitor;
      CREATE EXTENSION hstore;
      """
    try Workbench.with(cluster: LoginServer.shared, sql: sql) { bench in
      try bench.cluster.psql("ALTER ROLE \(set) IN DATABASE \"\(bench.database)\" SET work_mem = '5MB'")
      let reader = ServerReader(try LoginServer.connect(bench.database))
      let needs = try reader.needs(owners: ["named \"owner\""], properties: try reader.properties())
      #expect(Set(needs.roles) == ["named \"owner\"", owner, granted, set, "postgres"])
      #expect(needs.extensions.map(\.name) == ["hstore"])
      #expect(needs.tablespaces == (canMakeSpace ? [space] : []))
      #expect(try reader.missing(of: needs).map(\.what) == ["role \"named \"\"owner\"\"\" does not exist"])
      var more = needs
      more.roles = [owner]
      more.extensions.append(Manifest.Needs.Extension(name: "no_such_extension", version: "1"))
      more.tablespaces.append("elsewhere")
      #expect(
        try reader.missing(of: more).map(\.what) == [
          "extension no_such_extension is not installed", "tablespace \"elsewhere\" does not exist",
        ])
    }
    if canMakeSpace { try session.query("DROP TABLESPACE \(space)") }
  }

  private func properties(of database: String) throws -> DatabaseProperties {
    try ServerReader(try LoginServer.connect(database)).properties()
  }
}
