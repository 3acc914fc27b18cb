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
    let folder = "\(repository.folder(of: policy))/deploys/\(id)"
    try makeFolder(folder)
    file = RecordFile(path: "\(folder)/journal.jsonl")
  }

  /// Returns once the event is on the disk.
  package func append(_ event: DeployEvent) throws(Failure) { try file.append(event) }
}

extension Repository {
  /// The deploys of a policy, newest first.
  ///
  /// - Throws: `journal_damaged`.
  package func deploys(of policy: String) throws(Failure) -> [DeployRecord] {
    let folder = "\(folder(of: policy))/deploys"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var records: [DeployRecord] = []
    for name in names.sorted(by: >) {
      let path = "\(folder)/\(name)/journal.jsonl"
      guard let events = RecordFile(path: path).records(DeployEvent.self) else {
        throw Failure(
          "journal_damaged", exit: .dataDamaged, what: "deploy \(name)", why: "a line of its journal was changed",
          nextStep: "look at \(path)")
      }
      if let record = DeployRecord(id: name, events: events) { records.append(record) }
    }
    return records.sorted { ($0.startedAt, $0.id) > ($1.startedAt, $1.id) }
  }
}
