import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import Testing

@Suite struct WorkFolderTests {
  @Test func `is private, and goes with its owner`() throws {
    var folder: WorkFolder? = try WorkFolder()
    let path = try #require(folder?.path)
    #expect(try mode(path) == 0o700)
    let target = ConnectionTarget(parameters: [:], password: Secret("x"))
    let file = try #require(try folder?.passwordFile(for: target))
    #expect(try mode(file) == 0o600)
    folder = nil
    #expect(access(path, F_OK) != 0)
  }

  @Test func `makes no password file without a password`() throws {
    let folder = try WorkFolder()
    #expect(try folder.passwordFile(for: ConnectionTarget(parameters: [:])) == nil)
  }

  @Test func `quotes a password as libpq reads it`() throws {
    let folder = try WorkFolder()
    let target = ConnectionTarget(parameters: [:], password: Secret("a:b\\c:\u{301}ü#"))
    let file = try #require(try folder.passwordFile(for: target))
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "*:*:*:*:a\\:b\\\\c\\:\u{301}ü#\n")
  }

  @Test func `sweeps what a killed run has left, and nothing that is in use`() throws {
    let used = try WorkFolder()
    let parent = URL(fileURLWithPath: used.path).deletingLastPathComponent().path
    let leaving = "\(parent)/holdfast-\(getuid())-left\(UInt32.random(in: 0...UInt32.max))"
    let foreign = "\(parent)/holdfast-test-\(UInt32.random(in: 0...UInt32.max))"
    for folder in [leaving, foreign] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      try Data("secret".utf8).write(to: URL(fileURLWithPath: "\(folder)/pgpass"))
    }
    defer { try? FileManager.default.removeItem(atPath: foreign) }
    let next = try WorkFolder()
    #expect(access(leaving, F_OK) != 0)
    #expect(access(foreign, F_OK) == 0)
    #expect(access(used.path, F_OK) == 0)
    #expect(next.path != used.path)
  }

  private func mode(_ path: String) throws -> Int? {
    (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue
  }
}
