import Diagnostics
import Testing

@Suite struct SecretTests {
  private let secret = Secret("hunter2")

  @Test func `is shown nowhere by accident`() {
    var dumped = ""
    dump(secret, to: &dumped)
    dump(["key": secret], to: &dumped)
    let shown = [
      "\(secret)", String(reflecting: secret), String(describing: [secret]), "\(Optional(secret) as Any)", dumped,
    ]
    #expect(shown.allSatisfy { !$0.contains("hunter2") }, "\(shown)")
    #expect(shown.allSatisfy { $0.contains("***") })
    #expect(secret.reveal() == "hunter2")
  }

  @Test(arguments: [
    ("", ""), ("nothing here", "nothing here"), ("hunter2", "***"), ("a hunter2, a hunter2!", "a ***, a ***!"),
    ("hunter", "hunter"), ("hunter2\u{301}", "***\u{301}"), ("hunterhunter2", "hunter***"),
    ("\r\nhunter2\r\n", "\r\n***\r\n"),
  ])
  func `is taken out of a text wherever it stands`(text: String, redacted: String) {
    #expect(secret.redacted(from: text) == redacted)
  }

  @Test func `an empty secret takes nothing out`() {
    #expect(Secret("").redacted(from: "text") == "text")
  }

  @Test func `a secret that looks like a pattern is no pattern`() {
    #expect(Secret("a.*$1").redacted(from: "abc a.*$1") == "abc ***")
  }
}
