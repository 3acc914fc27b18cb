import BackupModel
import BackupRepository
import Foundation

extension Backup {
  /// The object that the contract promises.
  var json: JSONValue {
    [
      "id": .string(id), "policy": .string(manifest.policy),
      "database": .string(manifest.source.database), "server": .string(manifest.source.host),
      "system_identifier": .string(manifest.source.systemIdentifier), "reason": .string(manifest.reason),
      "created_at": .time(manifest.createdAt), "state": .string(state.rawValue),
      "format": .string(manifest.format.rawValue),
      "bytes": .integer(manifest.storedBytes), "held": .bool(hold?.stands(at: Date()) ?? false), "path": .string(path),
      "deploy": .optional(manifest.deploy), "verification": verification?.json ?? .null,
      "complete": manifest.complete.map { .bool($0) } ?? .null,
      "missing": manifest.missing.map { .array($0.map(\.json)) } ?? .null,
    ]
  }

  /// Without it the person who reads cannot tell whether the backup is worth anything.
  func proofText(now: Date) -> String {
    guard state == .complete, let verification else { return shortProofText }
    return "\(shortProofText), \(ageText(verification.at, now: now)) ago"
  }

  /// For tables: without when.
  var shortProofText: String {
    manifest.complete == false && state == .complete ? "\(verifiedText), incomplete" : verifiedText
  }

  private var verifiedText: String {
    guard let verification else { return "not yet" }
    if state == .damaged {
      return "DAMAGED: " + (verification.problems.first.map { $0.file ?? $0.sentence } ?? "verification failed")
    }
    return verification.level.rawValue
  }
}

extension Manifest {
  /// `of tables that match exclude_table_data (public.sessions, audit.log_*)`; nil when every row was saved.
  var lackText: String? {
    excludeTableData.isEmpty
      ? nil : "of tables that match exclude_table_data (\(excludeTableData.joined(separator: ", ")))"
  }
}

extension CensusEntry {
  var json: JSONValue {
    ["kind": .string(kind), "name": .string(name), "why": .string(why), "more": more.map { .integer($0) } ?? .null]
  }
}

extension Hold {
  var json: JSONValue { ["reason": .string(reason), "at": .time(at), "until": until.map { .time($0) } ?? .null] }
}

extension Verification {
  var json: JSONValue { ["level": .string(level.rawValue), "ok": .bool(ok), "at": .time(at)] }
}

extension Problem {
  var json: JSONValue { ["file": .optional(file), "table": .optional(table), "problem": .string(problem)] }
}

extension Listing.Broken {
  var json: JSONValue {
    ["policy": .string(policy), "id": .string(id), "path": .string(path), "problem": .string(failure.why)]
  }
}

extension Hold {
  /// From when to when, and why.
  var text: String {
    let end = until.map { ", until \(minuteText($0)) UTC" } ?? ""
    return "since \(minuteText(at)) UTC\(end): \(reason)"
  }
}
