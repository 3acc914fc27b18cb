import Foundation
import PostgresTools
import Testing

@Suite struct ProgramSearchTests {
  @Test func `a folder of a program's name is none, and the search goes on`() throws {
    let folder = "\(NSTemporaryDirectory())/programs-\(UInt32.random(in: 0...UInt32.max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for path in ["one/tool", "two"] {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
    }
    let path = "\(folder)/one:\(folder)/two"
    #expect(findProgram("tool", path: path) == nil)
    #expect(findProgram("\(folder)/one/tool", path: path) == nil)
    #expect(FileManager.default.createFile(atPath: "\(folder)/two/tool", contents: nil))
    #expect(findProgram("tool", path: path) == nil)
    chmod("\(folder)/two/tool", 0o755)
    #expect(findProgram("tool", path: path) == "\(folder)/two/tool")
    #expect(findProgram("\(folder)/two/tool", path: nil) == "\(folder)/two/tool")
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/two/link", withDestinationPath: "tool")
    #expect(findProgram("link", path: path) == "\(folder)/two/link")
  }
}
