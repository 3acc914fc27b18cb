import Diagnostics
import Testing

@Suite struct FailureLinesTests {
  private func failure(_ what: String, code: String = "configuration", _ details: [String] = []) -> Failure {
    Failure(code, exit: .configuration, what: what, why: "bad", nextStep: "mend it", details: details)
  }

  @Test func `several failures are one, and none of what they say is lost`() {
    #expect([Failure]().joined == nil)
    #expect([failure("a")].joined == failure("a"))
    let joined = [failure("a", ["1"]), failure("b", ["2", "3"]), failure("c")].joined
    #expect(joined?.what == "a")
    #expect(joined?.details == ["1", "b: bad", "2", "3", "c: bad"])
  }

  @Test func `a single problem of a file is told once, with its place`() {
    #expect(failure("a", ["f.yaml:3: bad"]).lines == ["error: a: f.yaml:3: bad", "hint: mend it"])
    #expect(failure("a", ["f.yaml:3: bad", "f.yaml:4: too"]).lines.count == 4)
    // Another failure of the same reason is no place.
    let two = [failure("a", code: "other"), failure("b", code: "other")].joined
    #expect(two?.lines == ["error: a: bad", "       b: bad", "hint: mend it"])
  }
}
