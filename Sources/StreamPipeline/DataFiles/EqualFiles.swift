import BackupModel
import Diagnostics
import Foundation

/// Makes files of the same stored bytes one file under all their names (hard links): an application often keeps the same
/// attachment in many large objects, the same rows in many partitions.
///
/// What cannot be linked, as on a file system without hard links, stays a copy.
func shareEqualFiles(_ files: [StoredFile], in folder: String, cancellation: Cancellation) throws(Failure) {
  var firstOf: [String: String] = [:]
  for file in files.sorted(by: { $0.path < $1.path }) where file.bytes > block {
    try cancellation.check()
    if let first = firstOf[file.sha256], share(first, as: file.path, in: folder) { continue }
    firstOf[file.sha256] = file.path
  }
}

/// What a file takes of most file systems at least: nothing is won by linking a smaller one.
private let block: UInt64 = 4096

/// There is a whole file under the name at every moment.
private func share(_ first: String, as name: String, in folder: String) -> Bool {
  let spare = "\(folder)/\(name).link"
  guard link("\(folder)/\(first)", spare) == 0 else { return false }
  if rename(spare, "\(folder)/\(name)") == 0 { return true }
  unlink(spare)
  return false
}
