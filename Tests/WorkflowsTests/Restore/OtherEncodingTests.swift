import Foundation
import TestSupport
import Testing

/// Names in databases that are not in UTF-8 are typed and shown as they are.
@Suite struct OtherEncodingTests {
  @Test(
    arguments: [
      ("EUC_JP", "表あ", "U&\"\\8868\\3042\""), ("WIN1251", "Журнал", "U&\"\\0416\\0443\\0440\\043D\\0430\\043B\""),
      ("LATIN3", "ħ", "U&\"\\0127\""), ("LATIN1", "größe", "U&\"gr\\00F6\\00DFe\""),
      ("SQL_ASCII", "größe", "\"größe\""),
    ])
  func `tables are named as they are typed`(encoding: String, name: String, sql: String) throws {
    try Workbench.with { bench in
      let database = "\(bench.database)_enc"
      try bench.createDatabase(database, options: "TEMPLATE template0 ENCODING '\(encoding)' LOCALE 'C'")
      try bench.cluster.psql("CREATE TABLE \(sql) AS SELECT 7 AS a; CREATE TABLE other (a int)", database: database)
      for format in ["directory", "plain"] {
        try bench.writePolicy(url: bench.cluster.url(database), more: "backup: {format: \(format)}")
        let id = try bench.backUp()
        let show = try bench.holdfast("show", id, "--json")
        let names = show.json.array("backup", "table_names") as? [String] ?? []
        #expect(names.sorted() == ["public.other", "public.\(name)"].sorted(), "\(show.stdout)")
        let copy = bench.newDatabaseName("copy_\(format)")
        let run = try bench.holdfast("restore", id, "--table", "public.\(name)", "--into", copy, "--json")
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
        #expect(run.json.array("tables") as? [String] == ["public.\(name)"])
        #expect(try bench.cluster.psql("SELECT a FROM \(sql)", database: copy) == "7")
        let wrong = try bench.holdfast("restore", id, "--table", "public.\(name)x", "--into", "never", "--json")
        #expect(wrong.exit == 66)
        #expect(wrong.json.string("error", "next_step")?.contains("public.\(name)?") == true, "\(wrong.stdout)")
        #expect(wrong.json.string("error", "what")?.contains("\(name)x") == true)
      }
    }
  }
}
