import Foundation
import TestSupport

/// The migrations folder of a bench.
struct MigrationsOnDisk {
  let path: String
  /// What the policy says of it.
  var policy: String { "migrations:\n  directory: \"\(path)\"" }

  init(_ bench: Workbench) throws { try self.init(path: "\(bench.folder)/migrations") }

  private init(path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Runs a test that needs no database.
  static func with(_ body: (MigrationsOnDisk) throws -> Void) throws {
    let folder = try MigrationsOnDisk(path: "\(TestCluster.temporary)/hf migrations \(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    try body(folder)
  }

  /// - Parameter files: texts by path; nil: the file or folder is removed.
  func write(_ files: [String: String?]) throws {
    // Longest first, so that a folder goes after what is in it.
    for (name, text) in files.sorted(by: { $0.key.count > $1.key.count }) {
      if let text {
        try write(Data(text.utf8), to: name)
      } else {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
      }
    }
  }

  func write(_ data: Data, to name: String) throws {
    let url = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: url)
  }

  /// Writes `NAME/migration.sql`.
  func add(_ name: String, _ text: String = "SELECT 1;\n") throws { try write(["\(name)/migration.sql": text]) }

  /// Names of the folders in it.
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isFolder) && isFolder.boolValue
    }
  }
}
