import BackupModel
import Diagnostics
import Foundation

/// A private folder for what must not stay: the password file, what a restore expands. It goes with its owner; one left by a killed
/// run goes when the next is made.
///
/// The owner holds a lock on the folder itself, which the kernel gives up when the process ends.
package final class WorkFolder: Sendable {
  package let path: String
  private let lock: Int32

  /// - Throws: `cannot_write`.
  package init() throws(Failure) {
    let parent = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    let prefix = "holdfast-\(getuid())-"
    Self.sweep(parent, prefix)
    (path, lock) = try Self.create(parent, prefix)
  }

  deinit {
    Self.remove(path)
    close(lock)
  }

  /// Writes a password file for libpq.
  ///
  /// - Returns: its path; nil when there is no password.
  package func passwordFile(for target: ConnectionTarget) throws(Failure) -> String? {
    guard let password = target.password else { return nil }
    let file = "\(path)/pgpass"
    guard access(file, F_OK) != 0 else { return file }
    try write("*:*:*:*:\(password.inPasswordFile.reveal())\n", to: file)
    return file
  }

  private func write(_ text: String, to file: String) throws(Failure) {
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Self.cannotWrite(file) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Foundation.write(descriptor, bytes, bytes.count) == bytes.count else { throw Self.cannotWrite(file) }
  }

  private static func create(_ parent: String, _ prefix: String) throws(Failure) -> (String, Int32) {
    for _ in 0..<10 {
      guard let name = strdup("\(parent)/\(prefix)XXXXXX") else { break }
      defer { free(name) }
      guard mkdtemp(name) != nil else { break }
      let path = String(cString: name)
      // Another run's sweep may have come between: then this folder is gone or being removed.
      if let lock = locked(path) { return (path, lock) }
    }
    throw cannotWrite(parent)
  }

  private static func cannotWrite(_ path: String) -> Failure {
    Failure(
      "cannot_write", exit: .cannotWrite, what: "temporary folder \(path)", why: String(cString: strerror(errno)),
      nextStep: "set TMPDIR to a folder where there is room and that you may write to")
  }

  /// Opens and locks a folder that still exists; nil when another process has it.
  private static func locked(_ path: String) -> Int32? {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &status) == 0, status.st_nlink > 0,
      status.st_uid == getuid()
    {
      return descriptor
    }
    close(descriptor)
    return nil
  }

  private static func sweep(_ parent: String, _ prefix: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
    for name in names where name.hasPrefix(prefix) {
      guard let lock = locked("\(parent)/\(name)") else { continue }
      remove("\(parent)/\(name)")
      close(lock)
    }
  }

  private static func remove(_ path: String) {
    // What cannot be removed now is swept by a later run.
    try? FileManager.default.removeItem(atPath: path)
  }
}

extension Secret {
  /// As libpq's password file has it: a child that prints that file prints this.
  var inPasswordFile: Secret { Secret(escaped(["\\", ":"], in: reveal(), by: "\\")) }
}
