import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// Reads a backup's folder. A folder without a valid manifest is no backup.
enum BackupReader {
  /// - Throws: `not_a_backup`, `newer_backup`, `backup_damaged`, `foreign_owner`, `cannot_read`.
  static func read(_ path: String, id: String, policy: String) throws(Failure) -> Backup {
    switch fileKind(path) {
    case .folder: try refuseForeign(path)
    case .link: throw broken(path, "it is a symbolic link")
    case .unreadable(let number): throw cannotRead(path, number)
    case .file, .other, .missing: throw broken(path, "it is no folder")
    }
    let manifest = try manifest(path)
    guard manifest.id == id, manifest.policy == policy else {
      var failure = broken(path, "its manifest is that of \(manifest.policy)/\(manifest.id)")
      failure.nextStep = "move it back to that name; it is used where a policy \(manifest.policy) has a file"
      throw failure
    }
    return Backup(
      manifest: manifest, path: path, hold: try hold(path, of: id), verifications: try verifications(path, of: id))
  }

  /// The folders above it were looked at before.
  private static func refuseForeign(_ path: String) throws(Failure) {
    let number = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard number >= 0 else { throw cannotRead(path, errno) }
    defer { close(number) }
    if let refusal = ForeignOwner.refusal(of: number, path: path) { throw refusal }
  }

  private static func manifest(_ path: String) throws(Failure) -> Manifest {
    let file = "\(path)/manifest.json"
    let kind = fileKind(file)
    if case .unreadable(let number) = kind { throw cannotRead(file, number) }
    // Several at once would take the memory of all of them.
    let isLarge = fileSize(file) > 8 << 20
    if isLarge { large.lock() }
    defer { if isLarge { large.unlock() } }
    guard kind == .file, let data = try contents(file, atMost: Manifest.mostMegabytes) else {
      throw broken(path, "it has no manifest.json")
    }
    // A newer format may have anything else, or look the same.
    let read = try? Manifest.decoder().decode(Manifest.self, from: data)
    let version = read?.version ?? (try? JSONDecoder().decode(Version.self, from: data))?.version
    if let version, version > Manifest.currentVersion {
      throw Failure(
        "newer_backup", exit: .dataDamaged, what: "backup \(path)",
        why: "it is of format version \(version), and this Holdfast knows version \(Manifest.currentVersion)",
        nextStep: "use a newer Holdfast")
    }
    guard let manifest = read else { throw damaged(path, "manifest.json cannot be read") }
    guard manifest.version == Manifest.currentVersion, manifest.isPlausible else {
      throw damaged(path, "manifest.json holds numbers that no backup has")
    }
    let sums = "\(path)/SHA256SUMS"
    guard fileKind(sums) == .file else { throw damaged(path, "SHA256SUMS is not a file") }
    let expected = try checksumList(of: manifest, encoded: data)
    guard fileSize(sums) == expected.count,
      try contents(sums, atMost: Manifest.mostMegabytes)?.elementsEqual(expected) == true
    else { throw damaged(path, "manifest.json and SHA256SUMS do not agree") }
    return manifest
  }

  private static let large = NSLock()

  private struct Version: Decodable {
    var version: Int
  }

  static func hold(_ path: String, of id: String) throws(Failure) -> Hold? {
    guard let text = try text("\(path)/hold.json") else { return nil }
    guard let hold = SealedLine.open(text.dropLast(), of: id, as: Hold.self), text.hasSuffix("\n") else {
      throw damaged(path, "hold.json was changed")
    }
    return hold
  }

  private static func verifications(_ path: String, of id: String) throws(Failure) -> [Verification] {
    let file = "\(path)/verifications.jsonl"
    guard fileKind(file) != .missing else { return [] }
    guard fileKind(file) == .file, let records = try RecordFile(path: file, of: id, depth: 2).records(Verification.self)
    else {
      throw damaged(path, "verifications.jsonl was changed")
    }
    return records
  }

  private static func text(_ path: String) throws(Failure) -> String? {
    switch fileKind(path) {
    case .missing: return nil
    case .file: break
    default: throw damaged(parent(of: path), "\(path) is no plain file")
    }
    guard let data = try contents(path, atMost: 1), let text = String(data: data, encoding: .utf8) else {
      throw damaged(parent(of: path), "\(path) is no text")
    }
    return text
  }

  private static func broken(_ path: String, _ why: String) -> Failure {
    Failure(
      "not_a_backup", exit: .dataDamaged, what: "folder \(path)", why: "it is not a backup: \(why)",
      nextStep: "holdfast never uses it; look where it came from, and remove it by hand")
  }

  private static func damaged(_ path: String, _ why: String) -> Failure {
    Failure(
      "backup_damaged", exit: .dataDamaged, what: "backup \(path)", why: why,
      nextStep: "it is not used until it is whole again; choose another one from holdfast list")
  }
}

/// `SHA256SUMS`: every file of the manifest, and the manifest itself. It follows from the manifest byte for byte, so that each
/// guards the other.
func checksumList(of manifest: Manifest, encoded: some ContiguousBytes) throws(Failure) -> [UInt8] {
  let sha = try SHA256()
  encoded.withUnsafeBytes { sha.update($0) }
  let lines = manifest.files.map { "\($0.sha256)  \($0.path)\n" } + ["\(sha.finish())  manifest.json\n"]
  return Array(lines.joined().utf8)
}
