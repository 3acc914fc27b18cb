import Diagnostics
import Testing

@Suite struct EditDistanceTests {
  @Test(arguments: [
    ("backpu", "backup"), ("bakcup", "backup"), ("restor", "restore"), ("BACKUP", "backup"), ("vrify", "verify"),
    ("lst", "list"), ("shov", "show"), ("rsetroe", "restore"),
  ])
  func `finds the word that was meant`(typed: String, meant: String) {
    #expect(nearest(to: typed, among: ["list", "backup", "restore", "verify", "show"]) == meant)
  }

  @Test(arguments: ["", "x", "xyz", "rollback", "li", "backupbackup"])
  func `suggests nothing for a word that is like none`(typed: String) {
    #expect(nearest(to: typed, among: ["list", "backup", "restore", "verify", "show"]) == nil)
  }

  @Test func `takes the nearest, and of equals the first of the alphabet`() {
    #expect(nearest(to: "keep_dayly", among: ["keep_daily", "keep_last", "keep_yearly"]) == "keep_daily")
    #expect(nearest(to: "bat", among: ["hat", "cat", "rat"]) == "cat")
    #expect(nearest(to: "word", among: [String]()) == nil)
  }

  @Test(arguments: [
    ("abcdefghi", "abcdefghi", true), ("abcdefghi", "abcdefxyz", true), ("abcdefghi", "abcdewxyz", false),
    ("abcdefghijklmnop", "abcdefghijklwxyz", false), ("abc", "axc", true), ("abc", "axy", false), ("ab", "a", true),
  ])
  func `allows an edit for three letters, at least one and at most three`(word: String, candidate: String, near: Bool) {
    #expect((nearest(to: word, among: [candidate]) == candidate) == near)
  }

  @Test func `an exchange of neighbours is one edit`() {
    #expect(nearest(to: "ba", among: ["ab"]) == "ab")
    #expect(nearest(to: "cab", among: ["abc"]) == nil)
  }
}
