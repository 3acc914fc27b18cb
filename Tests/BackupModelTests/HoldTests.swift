import BackupModel
import Foundation
import Testing

/// A hold stands until it is released, or until its end.
@Suite struct HoldTests {
  @Test func `one with an end stands until then`() {
    let start = Date(timeIntervalSince1970: 1_000)
    let hold = Hold(reason: "pre-deploy", at: start, until: start.addingTimeInterval(60))
    #expect(hold.stands(at: start.addingTimeInterval(59)))
    #expect(!hold.stands(at: start.addingTimeInterval(60)))
    #expect(Hold(reason: "by hand", at: start).stands(at: .distantFuture))
  }

  @Test func `a database's locale provider is named where template0 may have another`() {
    let properties = DatabaseProperties(
      owner: "o", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: nil, settings: [])
    let name = SQLFragment(identifier: "app")
    #expect(properties.createStatement(name: name, major: 15).contains("LOCALE_PROVIDER libc"))
    #expect(!properties.createStatement(name: name, major: 14).contains("LOCALE_PROVIDER"))
  }
}
