import Foundation
import TestSupport
import Testing

import BackupRepository

/// A folder is removed with all in it, and nothing that a link in it leads to.
@Suite struct FolderTreeTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = "\(NSTemporaryDirectory())/tree-\(UInt32.random(in: 0...UInt32.max))"
    try FileManager.default.createDirectory(atPath: "\(folder)/victim", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data("kept".utf8).write(to: URL(fileURLWithPath: "\(folder)/victim/a"))
    try body(folder)
    #expect(try String(contentsOfFile: "\(folder)/victim/a", encoding: .utf8) == "kept")
  }

  @Test func `links are removed, and what they lead to stays`() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: "\(folder)/tree/data", withIntermediateDirectories: true)
      for link in ["tree/link", "tree/data/link"] {
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(link)", withDestinationPath: "\(folder)/victim")
      }
      // No name of UTF-8.
      let odd = open("\(folder)/tree/odd", O_CREAT | O_WRONLY, 0o600)
      close(odd)
      let bytes: [CChar] = Array("\(folder)/tree/x".utf8CString.dropLast()) + [CChar(bitPattern: 0xE4), 0]
      #expect(rename("\(folder)/tree/odd", bytes) == 0)
      #expect(mkfifo("\(folder)/tree/fifo", 0o600) == 0)
      #expect(FolderTree.remove("\(folder)/tree") == nil)
      #expect(access("\(folder)/tree", F_OK) != 0)
    }
  }

  @Test func `a link in the place of the folder is removed itself`() throws {
    try withFolder { folder in
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/tree", withDestinationPath: "\(folder)/victim")
      #expect(FolderTree.remove("\(folder)/tree") == nil)
      var status = stat()
      #expect(lstat("\(folder)/tree", &status) != 0)
    }
  }

  @Test func `a folder that is too deep is an error, and no crash`() throws {
    try withFolder { folder in
      let deep = "\(folder)/tree" + String(repeating: "/d", count: 60)
      try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
      #expect(FolderTree.remove("\(folder)/tree") == ELOOP)
    }
  }
}
