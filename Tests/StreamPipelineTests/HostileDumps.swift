import BackupModel
import Testing

/// A small dump with something in it that leads a careless reader astray, and what is really in it.
struct HostileDump: Sendable, CustomTestStringConvertible {
  let name: String
  let body: String
  var statements: [String] = []
  /// `schema.name rows`.
  var tables: [String] = []

  var text: [UInt8] { dump(body) }
  var testDescription: String { name }

  static let all = data + code
}

extension HostileDump {
  private static let data = [
    HostileDump(name: "nothing at all", body: ""),
    HostileDump(
      name: "an end line inside the data", body: "COPY a.b (t) FROM stdin;\n\\\\.\nx\\\\.\n\\\\.y\n\\.\n\nSELECT 1;",
      statements: ["SELECT 1"], tables: ["a.b 3"]),
    HostileDump(
      name: "backslashes", body: "COPY a.b (t) FROM stdin;\n\\\\\n\\N\n\\\\N\n\\\\\\\\.\n\\n\n\\.\n", tables: ["a.b 5"]),
    HostileDump(
      name: "carriage returns in the data", body: "COPY a.b (t) FROM stdin;\n\r\n.\r\nx\\r\n\r\r\n\\.\n",
      tables: ["a.b 4"]),
    HostileDump(name: "empty rows", body: "COPY a.b (t) FROM stdin;\n\n\n\n\\.\n", tables: ["a.b 3"]),
    HostileDump(name: "no rows", body: "COPY a.b (t) FROM stdin;\n\\.\n", tables: ["a.b 0"]),
    HostileDump(name: "a table without columns", body: "COPY a.b  FROM stdin;\n\n\n\\.\n", tables: ["a.b 2"]),
    HostileDump(
      name: "names like a COPY statement",
      body: "COPY \"COPY x FROM stdin;\n1\n\\.\".\"a\"\"b. c\" (\"FROM stdin;\", \"\"\"\") FROM stdin;\n1\t2\n\\.\n",
      tables: ["COPY x FROM stdin;\n1\n\\..a\"b. c 1"]),
    HostileDump(
      name: "data like a dump",
      body:
        "COPY a.b (t) FROM stdin;\nCOPY c.d (t) FROM stdin;\n-- PostgreSQL database dump complete\n'\n$$\n/*\n\\.\n",
      tables: ["a.b 5"]),
    HostileDump(
      name: "two tables side by side", body: "COPY a.b (t) FROM stdin;\n1\n\\.\nCOPY a.c (t) FROM stdin;\n2\n\\.\n",
      tables: ["a.b 1", "a.c 1"]),
  ]

  private static let code = [
    HostileDump(
      name: "quotes", body: #"CREATE TABLE "a;""b" (c text DEFAULT 'it''s; "x" -- no /* no' || ';');"#,
      statements: [#"CREATE TABLE "a;""b" (c text DEFAULT 'it''s; "x" -- no /* no' || ';')"#]),
    HostileDump(
      name: "escape strings", body: #"SELECT E'\';''\\', e'\\', E'''\';'; SELECT some'\', 'E', E'''\\''';"#,
      statements: [#"SELECT E'\';''\\', e'\\', E'''\';'"#, #"SELECT some'\', 'E', E'''\\'''"#]),
    HostileDump(
      name: "dollar quotes", body: "DO $$;'$$; DO $a$ $$; $b$ $a $a$; SELECT $1, '$$';",
      statements: ["DO $$;'$$", "DO $a$ $$; $b$ $a $a$", "SELECT $1, '$$'"]),
    HostileDump(
      name: "a dump in a function's body", body: "CREATE FUNCTION f() AS $_$\nCOPY a.b FROM stdin;\n1\n\\.\n$_$;",
      statements: ["CREATE FUNCTION f() AS $_$\nCOPY a.b FROM stdin;\n1\n\\.\n$_$"]),
    HostileDump(
      name: "comments", body: "-- COPY a.b FROM stdin;\n--';\n/* ; /* ' */ //* **/ $$ */ SELECT/*;*/1 --;\n;",
      statements: ["SELECT 1"]),
    HostileDump(name: "operators like comments", body: "SELECT 1 - -2 / 3 * 4;", statements: ["SELECT 1 - -2 / 3 * 4"]),
    HostileDump(
      name: "a standard body",
      body: """
        CREATE OR REPLACE FUNCTION a.f(x int DEFAULT (CASE WHEN true THEN 1 END)) RETURNS int LANGUAGE sql
        BEGIN ATOMIC
         INSERT INTO a.b VALUES (CASE WHEN x THEN 'END;' END);
         SELECT CASE x WHEN 1 THEN CASE WHEN true THEN 2 END ELSE 3 END AS "end";
        END;
        SELECT 2;
        """,
      statements: [
        """
        CREATE OR REPLACE FUNCTION a.f(x int DEFAULT (CASE WHEN true THEN 1 END)) RETURNS int LANGUAGE sql
        BEGIN ATOMIC
         INSERT INTO a.b VALUES (CASE WHEN x THEN 'END;' END);
         SELECT CASE x WHEN 1 THEN CASE WHEN true THEN 2 END ELSE 3 END AS "end";
        END
        """, "SELECT 2",
      ]),
    HostileDump(
      name: "things named begin",
      body: "CREATE FUNCTION a.begin() RETURNS a.begin AS 'x'; CREATE FUNCTION begin.atomic() AS '';",
      statements: ["CREATE FUNCTION a.begin() RETURNS a.begin AS 'x'", "CREATE FUNCTION begin.atomic() AS ''"]),
    HostileDump(
      name: "a column named begin in a standard body",
      body: "CREATE PROCEDURE p() BEGIN ATOMIC\n SELECT t.begin, 1 AS begin FROM t;\nEND; SELECT 1;",
      statements: ["CREATE PROCEDURE p() BEGIN ATOMIC\n SELECT t.begin, 1 AS begin FROM t;\nEND", "SELECT 1"]),
    HostileDump(
      name: "a rule of several statements",
      body:
        "CREATE RULE r AS ON UPDATE TO a.v DO INSTEAD (DELETE FROM a.b;\n INSERT INTO a.b VALUES (';)'); SELECT 1);",
      statements: [
        "CREATE RULE r AS ON UPDATE TO a.v DO INSTEAD (DELETE FROM a.b;\n INSERT INTO a.b VALUES (';)'); SELECT 1)"
      ]),
  ]
}
