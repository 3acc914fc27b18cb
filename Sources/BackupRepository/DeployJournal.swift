import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// `deploys/<id>/journal.jsonl`: what a deploy is about to do, on the disk before it does it.
package struct DeployJournal: Sendable {
  package let id: String
  private let file: RecordFile

  /// Opens a deploy's journal, and makes its folder where there is none.
  package init(_ repository: Repository, policy: String, id: String) throws(Failure) {
    self.id = id
    let folder = try repository.journals(of: policy)
    _ = try OpenFolder(repository.folder(of: policy), depth: 1).folder(lastName(of: folder)).folder(id)
    file = RecordFile(path: "\(folder)/\(id)/journal.jsonl", of: id, depth: 3)
  }

  /// An id for a new deploy, behind those of the others.
  ///
  /// - Parameter others: what `deploys(of:)` gave.
  package static func makeID(after others: [DeployRecord], now: () -> Date) -> String {
    PartialBackup.makeID(after: others.first.map { ($0.id, $0.startedAt) }, now: now).id
  }

  /// Returns once the event is on the disk.
  package func append(_ event: DeployEvent) throws(Failure) { try file.append(event) }
}

extension [DeployRecord] {
  /// Those that still stand, the last one first, by the moments of their snapshots.
  package func standing(in listing: Listing) -> [DeployRecord] {
    standing { id in listing.backups.first { $0.id == id }.map { BackupMoment($0.manifest) } }
  }
}

extension Repository {
  /// The deploys of a policy, newest first.
  ///
  /// - Throws: `journal_damaged`, `cannot_read`: a deploy that cannot be read may be one that was interrupted.
  package func deploys(of policy: String) throws(Failure) -> [DeployRecord] {
    let folder = try journals(of: policy)
    var records: [DeployRecord] = []
    for name in try folderNames(folder) where isDeploy("\(folder)/\(name)") {
      let path = "\(folder)/\(name)/journal.jsonl"
      guard let events = try RecordFile(path: path, of: name, depth: 3).records(DeployEvent.self) else {
        throw Failure(
          "journal_damaged", exit: .dataDamaged, what: "deploy \(name)", why: "a line of its journal was changed",
          nextStep: "look at \(path)")
      }
      if let record = DeployRecord(id: name, events: events) { records.append(record) }
    }
    return records.sorted { ($0.startedAt, $0.id) > ($1.startedAt, $1.id) }
  }

  /// The folder of a policy's journals.
  ///
  /// - Throws: `foreign_folder`: a link leads to somebody's else.
  fileprivate func journals(of policy: String) throws(Failure) -> String {
    let path = "\(folder(of: policy))/deploys"
    guard fileKind(path) == .link else { return path }
    throw Failure(
      "foreign_folder", exit: .dataDamaged, what: "deploys of \(policy)", why: "\(path) is a symbolic link",
      nextStep: "Holdfast makes no links there: look where it leads, and put the folder itself in its place")
  }

  /// Files are none, whatever a file manager left there. What cannot be looked at may be one.
  private func isDeploy(_ path: String) -> Bool {
    switch fileKind(path) {
    case .folder, .unreadable: true
    case .file, .link, .other, .missing: false
    }
  }
}
