import Diagnostics
import Foundation
import StreamPipeline
import Testing

@Suite struct FileDescriptorTests {
  @Test func `creates a private file, and never over another`() throws {
    let folder = try ScratchFolder()
    let path = "\(folder.path)/new"
    try FileDescriptor.creating(path).write(Array("once".utf8))
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
    #expect(mode?.intValue == 0o600)
    let failure = try #require(throws: Failure.self) { try FileDescriptor.creating(path) }
    #expect(failure.exit == .cannotWrite)
    #expect(try folder.bytes(of: "new") == Array("once".utf8))
  }

  @Test func `follows no symbolic link`() throws {
    let folder = try ScratchFolder()
    try folder.write([1], to: "target")
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/link", withDestinationPath: "\(folder.path)/target")
    let path = "\(folder.path)/link"
    let failure = try #require(throws: Failure.self) { try FileDescriptor.reading(path) }
    #expect(failure.why == "it is a symbolic link")
    #expect(throws: Failure.self) { try FileDescriptor.creating(path) }
  }

  @Test func `says that a full disk is full`() throws {
    let full = FileDescriptor(adopting: open("/dev/full", O_WRONLY | O_CLOEXEC), path: "/dev/full")
    let failure = try #require(throws: Failure.self) { try full.write([0]) }
    #expect(failure.code == "no_space")
    #expect(failure.exit == .cannotWrite)
  }

  @Test func `a missing file is damage to a backup`() throws {
    let failure = try #require(throws: Failure.self) { try hashFile("/nonexistent/file") }
    #expect(failure.exit == .dataDamaged)
  }
}
