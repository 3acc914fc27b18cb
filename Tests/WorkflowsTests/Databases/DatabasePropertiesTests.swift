import Foundation
import TestSupport
import Testing

/// What belongs to a database besides its content, after a restore under another name.
@Suite struct DatabasePropertiesRestoreTests {
  private static let sql = "CREATE TABLE t AS SELECT generate_series(1, 5) AS a"

  @Test func `owner, privileges, settings, roles' settings, comment and limit come back`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      let (owner, reader) = ("own er_\(bench.database)", "rea\"der_\(bench.database)")
      let (ownerName, readerName) = ("\"\(owner)\"", "\"\(reader.replacing("\"", with: "\"\""))\"")
      for sql in [
        "CREATE ROLE \(ownerName)", "CREATE ROLE \(readerName)",
        "ALTER DATABASE \(bench.database) OWNER TO \(ownerName)",
        "GRANT TEMPORARY ON DATABASE \(bench.database) TO \(readerName) WITH GRANT OPTION",
        "REVOKE CONNECT ON DATABASE \(bench.database) FROM PUBLIC",
        "ALTER DATABASE \(bench.database) SET search_path = \"$user\", public, \"a, \"\"b\"\"\"",
        "ALTER DATABASE \(bench.database) SET my.setting = E'it''s \\\\ odd\\n'",
        "ALTER DATABASE \(bench.database) SET default_transaction_read_only = on",
        "ALTER ROLE \(readerName) IN DATABASE \(bench.database) SET statement_timeout = '3s'",
        "ALTER ROLE \(readerName) IN DATABASE \(bench.database) SET temp_tablespaces = ''",
        "ALTER DATABASE \(bench.database) CONNECTION LIMIT 0",
        "COMMENT ON DATABASE \(bench.database) IS E'\\\\it''s \\\"mine\\\"\\n'",
      ] { try bench.cluster.psql(sql) }
      let copy = bench.newDatabaseName()
      defer {
        for name in [copy, bench.database] { _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \"\(name)\"") }
        _ = try? bench.cluster.psql("DROP ROLE \(ownerName), \(readerName)")
      }
      let id = try bench.backUp()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
      let limit =
        "SELECT datconnlimit, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '\(copy)'"
      #expect(try bench.cluster.psql(limit) == "0|\\it's \"mine\"")
    }
  }

  @Test(arguments: [
    "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_COLLATE 'C' LC_CTYPE 'C'",
  ])
  func `encoding, locale and provider come back`(options: String) throws {
    try onDatabase(options) { bench, copy in
      #expect(try bench.differences(copy) == "")
      let facts = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = "
      let (before, after) = try (
        bench.cluster.psql(facts + "'\(bench.database)'"), bench.cluster.psql(facts + "'\(copy)'")
      )
      #expect(before == after)
      #expect(options.contains(String(after.prefix { $0 != "|" })))
    }
  }

  @Test func `bytes that are no UTF-8 come back in a database that does not care`() throws {
    try onDatabase("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'") { bench, copy in
      let bytes = try bench.cluster.psql("SELECT encode(convert_to(s, 'SQL_ASCII'), 'hex') FROM odd", database: copy)
      #expect(bytes == "e9ff80")
    }
  }

  /// 0x81 is no character of WIN1252, and the table's name none of ASCII: both are dumped as the bytes that they are.
  @Test(arguments: ["WIN1252", "EUC_JP", "SQL_ASCII"]) func `names and values come back byte for byte`(encoding: String)
    throws
  {
    let bytes = encoding == "EUC_JP" ? "\\xadf0" : "\\x81"
    for format in ["directory", "custom", "plain"] {
      try Workbench.with(policy: "backup: {format: \(format)}") { bench in
        try bench.cluster.psql("DROP DATABASE \(bench.database)")
        try bench.cluster.psql(
          "CREATE DATABASE \(bench.database) TEMPLATE template0 ENCODING '\(encoding)' LC_COLLATE 'C' LC_CTYPE 'C'")
        try bench.cluster.psql("ALTER DATABASE \(bench.database) SET client_encoding = 'UTF8'")
        let name = encoding == "EUC_JP" ? "表'ó" : "größe'ß"
        try bench.cluster.psql(
          """
          CREATE TABLE "\(name)" (s text, "ö" int); CREATE TABLE plain AS SELECT 1 AS a;
          INSERT INTO "\(name)" SELECT convert_from('\(bytes)', current_setting('server_encoding')), 7;
          """, database: bench.database)
        let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
        try bench.restore(id, into: copy)
        let value = try bench.cluster.psql(
          "SELECT encode(convert_to(s, current_setting('server_encoding')), 'hex'), \"ö\" FROM \"\(name)\"",
          database: copy)
        #expect(value == "\(bytes.dropFirst(2))|7", "\(format): \(value)")
      }
    }
  }

  /// Backs a database up that was made with some options, and restores it.
  private func onDatabase(_ options: String, _ body: (Workbench, _ copy: String) throws -> Void) throws {
    try Workbench.with { bench in
      try bench.cluster.psql("DROP DATABASE \(bench.database)")
      try bench.createDatabase(bench.database, options: "TEMPLATE template0 \(options)")
      try bench.cluster.psql(Self.sql, database: bench.database)
      if options.contains("SQL_ASCII") {
        try bench.cluster.psql("CREATE TABLE odd AS SELECT E'\\xe9\\xff\\x80' AS s", database: bench.database)
      }
      let id = try bench.backUp()
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      try body(bench, copy)
    }
  }
}
