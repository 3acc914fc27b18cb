import BackupModel
import CProcess
import Diagnostics
import Foundation
import StreamPipeline

/// The place that keeps backups, as a folder on a file system. Its files are the only truth.
///
/// Layout and write order: docs/design.md. Readers take no lock and change nothing.
package struct Repository: Sendable {
  package let path: String
  /// What its holdfast.json says; nil in one that was written by hand without.
  package let id: String?
  /// Backups lay there, but the file that says what it is was gone, and has been written again.
  package private(set) var isRepaired = false

  /// Makes a repository where there is none.
  ///
  /// - Parameter id: the id that a new one gets.
  /// - Returns: nil when there was one.
  /// - Throws: `foreign_owner`, `cannot_write`, `cannot_read`, `foreign_repository`, `newer_repository`.
  @discardableResult
  package static func create(_ path: String, id: String? = nil) throws(Failure) -> Repository? {
    guard access(marker(path), F_OK) != 0 else { return nil }
    if let refusal = foreign(path, isNew: true) { throw refusal }
    try makeFolder(path)
    try refuseForeignFiles(path)
    if let backup = try lastBackup(in: path) { _ = try repair(path, backup) } else { try mark(path, id) }
    return try open(path)
  }

  /// A folder with files of somebody's is none: they would be hidden from git, and may be the wrong disk's.
  private static func refuseForeignFiles(_ path: String) throws(Failure) {
    let known: Set<String> = ["lost+found", ".gitignore", ".gitkeep", ".DS_Store", AuditTrail.file]
    var foreign: String?
    for name in try folderNames(path) where foreign == nil {
      if known.contains(name) || name.hasPrefix(".partial-") || name.hasPrefix(".nfs") { continue }
      if fileKind("\(path)/\(name)") == .folder, try holdsNothingElse("\(path)/\(name)") { continue }
      foreign = name
    }
    guard let first = foreign else { return }
    throw Failure(
      "cannot_write", exit: .cannotWrite, what: "repository \(path)",
      why: "the folder is not empty and is no repository: \(first) is in it",
      nextStep: "name a new or an empty folder as repository, or move those files elsewhere")
  }

  /// What a policy's folder has: backups, journals of deploys, locks.
  private static func holdsNothingElse(_ folder: String) throws(Failure) -> Bool {
    try folderNames(folder).allSatisfy {
      $0.hasPrefix(".") || $0 == "deploys" || fileKind("\(folder)/\($0)/manifest.json") == .file
    }
  }

  /// Opens one to write into it.
  ///
  /// - Throws: `no_repository`: a new one would be made on the wrong disk while the right one is not mounted; `cannot_write`,
  ///   `foreign_repository`, `newer_repository`, `cannot_read`.
  package static func openToWrite(_ path: String) throws(Failure) -> Repository {
    guard access(marker(path), F_OK) != 0, let backup = try lastBackup(in: path) else { return try open(path) }
    return try repair(path, backup)
  }

  /// With the id that its backups know it by.
  private static func repair(_ path: String, _ backup: String) throws(Failure) -> Repository {
    try mark(path, try knownID(path, backup))
    var repository = try open(path)
    repository.isRepaired = true
    return repository
  }

  private static func marker(_ path: String) -> String { "\(path)/holdfast.json" }

  /// The first runs of two policies may come here at once: the second waits, and finds the first one's mark.
  private static func mark(_ path: String, _ id: String?) throws(Failure) {
    let folder = Foundation.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw cannotWrite(path, errno) }
    defer { close(folder) }
    try lockInTurn(folder, path)
    guard access(marker(path), F_OK) != 0 else { return }
    try hideFromGit(path)
    let id = id ?? UUID().uuidString.lowercased()
    try OpenFolder(path, depth: 0)
      .replace("holdfast.json", by: Array(markerText(id).utf8), through: ".partial-holdfast.json")
  }

  private static func knownID(_ path: String, _ backup: String) throws(Failure) -> String? {
    try contents("\(path)/\(backup)/manifest.json", atMost: Manifest.mostMegabytes)
      .flatMap { try? Manifest.decoder().decode(Manifest.self, from: $0) }?.repository
  }

  private static func markerText(_ id: String) -> String {
    let quoted = (try? JSONEncoder().encode(id)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    return "{\"version\":1,\"id\":\(quoted)}\n"
  }

  /// A backup holds everything that the database does: `git add .` must not take it along.
  private static func hideFromGit(_ path: String) throws(Failure) {
    guard fileKind("\(path)/.gitignore") == .missing else { return }
    try OpenFolder(path, depth: 0).replace(".gitignore", by: Array("*\n".utf8), through: ".partial-gitignore")
  }

  /// Opens an existing one.
  ///
  /// - Throws: `no_repository`, `unmarked_repository`, `foreign_repository`, `newer_repository`, `cannot_read`.
  package static func open(_ path: String) throws(Failure) -> Repository {
    guard let repository = try openIfThere(path) else { throw none(path) }
    return repository
  }

  private static func none(_ path: String) -> Failure {
    Failure(
      "no_repository", exit: .notFound, what: "repository \(path)", why: "there is none: it has no holdfast.json",
      nextStep: "if there should be one, mount its disk, or correct `repository` in the policy; "
        + "to make a new one: holdfast backup --create-repository")
  }

  /// Opens one that may not have been made yet: then there is no backup either.
  ///
  /// - Throws: `foreign_owner`, `unmarked_repository`, `foreign_repository`, `newer_repository`, `cannot_read`: what cannot be read is
  ///   never taken for "not there".
  package static func openIfThere(_ path: String) throws(Failure) -> Repository? {
    if let refusal = foreign(path) { throw refusal }
    guard let data = try contents(marker(path), atMost: 1) else {
      guard let backup = try lastBackup(in: path) else { return nil }
      throw try unmarked(path, backup)
    }
    guard let marker = try? JSONDecoder().decode(Marker.self, from: data) else {
      throw Failure(
        "foreign_repository", exit: .dataDamaged, what: "repository \(path)", why: "its holdfast.json cannot be read",
        nextStep: "look at the file: it should read {\"version\":1,\"id\":…}")
    }
    guard marker.version == Manifest.currentVersion else {
      throw Failure(
        "newer_repository", exit: .dataDamaged, what: "repository \(path)",
        why: "its format is version \(marker.version), and this Holdfast knows version \(Manifest.currentVersion)",
        nextStep: "use a newer Holdfast")
    }
    return Repository(path: path, id: marker.id)
  }

  private static func foreign(_ path: String, isNew: Bool = false) -> Failure? {
    ForeignOwner.refusal(of: path, code: "foreign_owner", what: "repository \(path)", isNew: isNew)
  }

  private struct Marker: Decodable {
    var version: Int
    var id: String?
  }

  /// Something below a folder without a marker that looks like a backup, `policy/id`.
  private static func lastBackup(in path: String) throws(Failure) -> String? {
    for policy in try policyFolders(path) {
      if let backup = try backupNames("\(path)/\(policy)").last { return "\(policy)/\(backup)" }
    }
    return nil
  }

  /// A disk of its own has a `lost+found`, which only root may read.
  private static func policyFolders(_ path: String) throws(Failure) -> [String] {
    try folderNames(path).filter {
      !$0.hasPrefix(".") && $0 != "lost+found" && fileKind("\(path)/\($0)") == .folder
    }
  }

  /// What looks like backups from outside.
  private static func backupNames(_ folder: String) throws(Failure) -> [String] {
    try folderNames(folder).filter { isBackupName($0) && fileKind("\(folder)/\($0)/manifest.json") == .file }
  }

  /// How many backups lie here by the names of their policies, which may have no file any more. What may not be read is another user's.
  ///
  /// - Throws: `cannot_read`.
  package func backupCounts() throws(Failure) -> [String: Int] {
    var counts: [String: Int] = [:]
    for policy in try Self.policyFolders(path) {
      do throws(Failure) { counts[policy] = try Self.backupNames(folder(of: policy)).count } catch {
        guard error.exit == .noPermission else { throw error }
      }
    }
    return counts.filter { $0.value > 0 }
  }

  private static func unmarked(_ path: String, _ backup: String) throws(Failure) -> Failure {
    let id = try knownID(path, backup) ?? UUID().uuidString.lowercased()
    return Failure(
      "unmarked_repository", exit: .dataDamaged, what: "repository \(path)",
      why: "its holdfast.json is missing, though backups lie there (\(backup))",
      nextStep: "if it is the right folder, put the file back, or a new one: "
        + "echo \(shellWord(String(markerText(id).dropLast()))) > \(shellWord("\(path)/holdfast.json"))")
  }

  /// The folder of one policy's backups.
  package func folder(of policy: String) -> String { "\(path)/\(policy)" }

  /// All backups of a policy, newest first, and what stands among them without being one.
  ///
  /// - Throws: `foreign_owner`, `symbolic_link`, `cannot_read`.
  package func listing(of policy: String) throws(Failure) -> Listing {
    var listing = Listing()
    let folder = folder(of: policy)
    guard fileKind(folder) != .link else { throw symbolicLink(policy) }
    if let refusal = ForeignOwner.refusal(of: folder, code: "foreign_owner", what: "repository of \(policy)") {
      throw refusal
    }
    // The manifest of a database of many tables takes a moment.
    let names = try folderNames(folder).filter(Self.isBackupName)
    let read = try inParallel(
      names, threads: ProcessInfo.processInfo.activeProcessorCount, cancellation: Cancellation()
    ) {
      (name) throws(Failure) -> Result<Backup, Failure> in
      do throws(Failure) {
        return .success(try BackupReader.read("\(folder)/\(name)", id: name, policy: policy))
      } catch { return .failure(error) }
    }
    for (name, outcome) in zip(names, read) {
      switch outcome {
      case .success(let backup): listing.backups.append(backup)
      case .failure(let error):
        listing.broken.append(Listing.Broken(policy: policy, id: name, path: "\(folder)/\(name)", failure: error))
      }
    }
    listing.sort()
    return listing
  }

  /// A link could lead a policy's backups anywhere: neither readers nor writers follow it.
  func symbolicLink(_ policy: String) -> Failure {
    Failure(
      "symbolic_link", exit: .dataDamaged, what: "repository \(path)", why: "\(policy) is a symbolic link",
      nextStep: "put a real folder there: a link could lead a backup anywhere")
  }

  /// Hidden names are locks and runs in progress; `deploys` is what the contract keeps beside the backups.
  private static func isBackupName(_ name: String) -> Bool { !name.hasPrefix(".") && name != "deploys" }

  /// Removes what killed runs left. Call it under the policy's lock.
  ///
  /// - Returns: the names that were removed.
  package func sweep(policy: String) throws(Failure) -> [String] {
    let folder = folder(of: policy)
    let names = try folderNames(folder).filter { $0.hasPrefix(".partial-") || $0.hasPrefix(Self.removing) }
    guard !names.isEmpty else { return [] }
    let open = try OpenFolder(folder, depth: 1)
    for name in names { try open.removeTree(name) }
    return names
  }
}

/// The backups of a policy.
package struct Listing: Sendable {
  /// Newest first.
  package var backups: [Backup] = []
  package var broken: [Broken] = []

  package init() {}

  /// A folder that should be a backup and is not: no manifest, a foreign one, one of a newer version.
  package struct Broken: Sendable {
    package var policy: String
    package var id: String
    package var path: String
    package var failure: Failure

    /// False: nothing is known of it, as it may not be read.
    package var isDamaged: Bool { failure.exit == .dataDamaged }
  }

  mutating func sort() {
    backups.sort { (BackupMoment($0.manifest), $0.id) > (BackupMoment($1.manifest), $1.id) }
    broken.sort { $0.id > $1.id }
  }

  /// The newest good one that can stand in for a damaged one.
  package func newestGood(insteadOf backup: Backup) -> Backup? {
    backups.first { $0.state == .complete && $0.id != backup.id && $0.isLike(backup) }
  }

  package mutating func merge(_ other: Listing) {
    backups += other.backups
    broken += other.broken
    sort()
  }
}
