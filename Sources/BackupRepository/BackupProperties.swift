import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

extension Backup {
  /// Larger than what properties may be together, as statements and as comments.
  private static let mostMegabytes = 8

  /// What belonged to the database and not to its content, with the values of its settings.
  ///
  /// - Throws: `backup_damaged` when `database.sql` is another one than the manifest tells of.
  package func properties() throws(Failure) -> DatabaseProperties {
    let recorded = manifest.source.properties
    if let complete = recorded.filled(from: nil) { return complete }
    guard let file = manifest.files.first(where: { $0.path == DatabaseSQL.name }),
      let data = try contents("\(path)/\(DatabaseSQL.name)", atMost: Self.mostMegabytes)
    else { throw damaged("\(DatabaseSQL.name) is missing") }
    let sha = try SHA256()
    data.withUnsafeBytes { sha.update($0) }
    guard sha.finish() == file.sha256 else { throw damaged("\(DatabaseSQL.name) was changed") }
    guard let settings = DatabaseSQL.settings(in: String(decoding: data, as: UTF8.self)),
      let complete = recorded.filled(from: settings)
    else { throw damaged("\(DatabaseSQL.name) has other settings than manifest.json") }
    return complete
  }

  private func damaged(_ why: String) -> Failure {
    Failure(
      "backup_damaged", exit: .dataDamaged, what: "backup \(id)", why: why,
      nextStep: "choose another one from holdfast list")
  }
}
