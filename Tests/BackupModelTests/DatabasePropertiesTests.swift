import BackupModel
import Testing

@Suite struct DatabasePropertiesTests {
  private func properties(
    settings: [DatabaseProperties.Setting] = [], privileges: [DatabaseProperties.Privilege]? = nil
  ) -> DatabaseProperties {
    DatabaseProperties(
      owner: "own\"er", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: privileges, settings: settings)
  }

  private let name = SQLFragment(identifier: "app")

  @Test func `quotes the owner's name`() {
    #expect(properties().statements(name: name) == [#"ALTER DATABASE "app" OWNER TO "own""er""#])
  }

  @Test func `sets a list element by element, and any other value as one text`() {
    let settings = [
      DatabaseProperties.Setting(role: nil, name: "search_path", value: #""$user", "odd,name", public"#),
      DatabaseProperties.Setting(role: "rw", name: "work_mem", value: "16MB"),
      DatabaseProperties.Setting(role: nil, name: "search_path", value: ""),
      DatabaseProperties.Setting(role: nil, name: "app.tenant", value: "a, b"),
    ]
    #expect(
      properties(settings: settings).statements(name: name).dropFirst() == [
        #"ALTER DATABASE "app" SET "search_path" TO '$user', 'odd,name', 'public'"#,
        #"ALTER ROLE "rw" IN DATABASE "app" SET "work_mem" TO '16MB'"#,
        #"ALTER DATABASE "app" SET "search_path" TO ''"#,
        #"ALTER DATABASE "app" SET "app"."tenant" TO 'a, b'"#,
      ])
  }

  @Test func `takes the default privileges away before it grants those that were there`() {
    let privileges = [
      DatabaseProperties.Privilege(grantee: nil, privilege: "CONNECT", grantable: false),
      DatabaseProperties.Privilege(grantee: "ro", privilege: "CREATE", grantable: true),
    ]
    #expect(
      properties(privileges: privileges).statements(name: name).dropFirst() == [
        #"REVOKE ALL ON DATABASE "app" FROM PUBLIC"#, #"REVOKE ALL ON DATABASE "app" FROM "own""er""#,
        #"GRANT CONNECT ON DATABASE "app" TO PUBLIC"#, #"GRANT CREATE ON DATABASE "app" TO "ro" WITH GRANT OPTION"#,
      ])
  }

  @Test func `writes a backslash so that no setting can change its meaning`() {
    #expect(quoteLiteral(#"a\b'c"#) == #" E'a\\b''c'"#)
  }
}
