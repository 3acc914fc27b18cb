import BackupModel
import Testing

@Suite struct ShownStatementTests {
  @Test(
    arguments: [
      ("app.key", "hunter2", nil), ("app.key", "hunter2", "app"), ("search_path", "\"a SET b\", hunter2", nil),
      ("app.key", "x SET y TO hunter2", "a SET b"), ("work_mem", "hunter2", "SET "), ("a b.c SET d", "hunter2", nil),
    ] as [(String, String, String?)])
  func `a statement is shown without the value that it sets`(name: String, value: String, role: String?) throws {
    let properties = DatabaseProperties(
      owner: "o SET p", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: nil,
      settings: [DatabaseProperties.Setting(role: role, name: name, value: value)])
    let statement = try #require(properties.statements(name: SQLFragment(identifier: "x SET y")).last)
    #expect(statement.contains("hunter2"))
    #expect(!DatabaseProperties.shown(statement).contains("hunter2"))
  }
}
