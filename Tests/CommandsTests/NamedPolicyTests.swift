import Diagnostics
import Testing

@testable import Commands

@Suite struct NamedPolicyTests {
  @Test(arguments: [
    ("mend it, then: holdfast deploy", "mend it, then: holdfast deploy shop"),
    ("holdfast rollback --plan --to ID", "holdfast rollback shop --plan --to ID"),
    ("holdfast rollback shop --plan", "holdfast rollback shop --plan"),
    ("holdfast backup shop2 is another's", "holdfast backup shop shop2 is another's"),
    (
      "holdfast resolve m --rolled-back && holdfast deploy",
      "holdfast resolve m --rolled-back --policy shop && holdfast deploy shop"
    ),
    ("holdfast restore latest --into x", "holdfast restore latest --policy shop --into x"),
    ("holdfast show latest --policy shop", "holdfast show latest --policy shop"),
    ("holdfast list shows them, holdfast verify ID too", "holdfast list shows them, holdfast verify ID too"),
    ("holdfast resume, or holdfast abandon", "holdfast resume shop, or holdfast abandon shop"),
    ("holdfast undo\n", "holdfast undo shop\n"),
  ])
  func `a command gets the policy's name where it has none`(text: String, named: String) {
    #expect(NamedPolicy(name: "shop").naming(text) == named)
  }
}
