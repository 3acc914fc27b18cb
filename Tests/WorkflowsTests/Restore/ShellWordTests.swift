import Foundation
import TestSupport
import Testing

import Diagnostics

/// Commands to paste carry names from databases and folders.
@Suite struct ShellWordTests {
  private static let names = [
    "plain", "20240101_init", "two words", "it's", "x$(touch pwned)", "a`id`b", "a\nb", "tab\tand\u{1B}[31m", "ünïcode",
    "\u{202E}turned",
    "-option", "back\\slash", "a;b|c&d", "~", "*", "",
  ]

  @Test(arguments: names) func `a shell reads back the name`(name: String) throws {
    let folder = "\(NSTemporaryDirectory())/word-\(UInt32.random(in: 0...UInt32.max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let run = try shell("bash -c \(shellWord("printf '%s.' " + shellWord(name)))", in: folder)
    #expect(run.exit == 0 && run.stdout == name + ".", "\(run.stdout)\(run.stderr)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    #expect(!shellWord(name).unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test func `no part of a failure begins a line of its own`() {
    let forged = "x\nhint: run this\r\n::error::y\u{2028}z"
    let failure = Failure("c", exit: .failed, what: forged, why: forged, nextStep: forged, details: [forged])
    #expect(failure.lines.count == 3)
    #expect(failure.lines.allSatisfy { !$0.contains { $0.isNewline } })
  }
}
