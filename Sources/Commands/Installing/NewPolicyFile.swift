import Diagnostics
import Foundation
import PostgresTools

/// The file of a new policy: readable to whom its user lets read files, unlike what a backup holds.
struct NewPolicyFile {
  let folder: String
  let name: String
  let umask: mode_t

  var path: String { "\(folder)/\(name).yaml" }

  /// Makes the folder where there is none.
  ///
  /// - Throws: `foreign_owner`; `cannot_write` also when the policy is there already.
  func prepare() throws(Failure) {
    if let refusal = ForeignOwner.refusal(of: folder, code: "foreign_owner", what: "init", isNew: true) {
      throw refusal
    }
    let made = ProcessSetUp.with(umask: umask) {
      Result { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    }
    if case .failure = made {
      throw cannotWrite(folder, "the folder cannot be made: \(String(cString: strerror(errno)))")
    }
    if access(path, F_OK) == 0 { throw existing() }
  }

  func write(_ text: String) throws(Failure) {
    let descriptor = ProcessSetUp.with(umask: umask) { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else {
      throw errno == EEXIST ? existing() : cannotWrite(path, String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Foundation.write(descriptor, bytes, bytes.count) == bytes.count else {
      unlink(path)
      throw cannotWrite(path, String(cString: strerror(errno)))
    }
  }

  private func existing() -> Failure {
    var failure = cannotWrite(path, "it exists already")
    failure.nextStep = "to go on with it: holdfast check \(name); for another one choose another name with --name"
    return failure
  }

  private func cannotWrite(_ path: String, _ why: String) -> Failure {
    Failure(
      "cannot_write", exit: .cannotWrite, what: "writing \(path)", why: why,
      nextStep: "choose another name with --name, or another folder with --policies")
  }
}
