import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// The workflow of `holdfast export`: a backup as plain SQL, which psql reads, from any format.
package struct ExportBackup {
  private let tools: ToolSettings
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    tools = policy.tools
    self.surroundings = surroundings
  }

  /// Writes the SQL to a new file, which appears under its name when it is whole.
  ///
  /// - Parameter good: another backup, to name where this one is damaged.
  /// - Returns: its bytes.
  /// - Throws: `backup_damaged`, `cannot_write` also when there is such a file, `no_space`.
  package func run(_ backup: Backup, to path: String, insteadUse good: Backup?) throws(Failure) -> UInt64 {
    guard access(path, F_OK) != 0 else { throw cannotWrite(path, EEXIST) }
    let folder = parent(of: path)
    let file = try UnnamedFile(for: path)
    let bytes = try write(backup, to: file.descriptor, insteadUse: good)
    try file.descriptor.synchronize()
    step("publish the export")
    try file.publish(as: path)
    try synchronizeFolder(folder)
    step("published the export")
    return bytes
  }

  /// Writes the SQL to stdout.
  ///
  /// - Returns: its bytes.
  package func toStandardOutput(_ backup: Backup, insteadUse good: Backup?) throws(Failure) -> UInt64 {
    var status = stat()
    let isFile = fstat(1, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    // What is opened anew may be told not to block, and is nobody else's: a terminal says that there is room where there is too little.
    let terminal = isatty(1) == 1 ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1
    let output = FileDescriptor(
      adopting: terminal >= 0 ? terminal : dup(1), path: "stdout",
      cancellation: isFile ? nil : surroundings.cancellation)
    return try write(backup, to: output, insteadUse: good)
  }

  private func write(
    _ backup: Backup, to file: FileDescriptor, insteadUse good: Backup?
  ) throws(Failure) -> UInt64 {
    let use = try BackupUse.reading(backup)
    defer { withExtendedLifetime(use) {} }
    let toolbox = try surroundings.archiveReader(of: backup, demanded: tools)
    let text = try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
    let verified = try VerifyBackup(surroundings: surroundings).examine(backup, level: .checksum)
    if let damage = verified.damage(insteadUse: good) { throw damage }
    for entry in (backup.manifest.missing ?? []).of(CensusKind.rowTypeOrder.rawValue) {
      surroundings.log.warning("\(entry.name): loaded as it is, this text exchanges fields of rows: \(entry.why)")
    }
    let reporter = surroundings.reporter
    let scanner = SharedScanner()
    let written = ByteCount()
    // psql has to load it into the server that it comes from, too.
    let isOld = backup.manifest.sourceMajor < PostgreSQLMajor.firstThatSetsTransactionTimeout
    let filter = isOld ? HeadFilter(without: "SET transaction_timeout = 0;") : nil
    @Sendable func write(_ piece: UnsafeRawBufferPointer) throws(Failure) {
      try file.write(piece)
      written.add(piece.count)
    }
    let (_, _) = try surroundings.phase(
      "export", total: backup.manifest.dataBytes, summary: { sizeText(written.value) }
    ) { () throws(Failure) in
      try text.read { (piece) throws(Failure) in
        try scanner.scan(piece)
        if let filter { try filter.take(piece, pass: write) } else { try write(piece) }
        reporter.advance(bytes: UInt64(piece.count))
      }
      try filter?.finish(pass: write)
    }
    // What was written is what was backed up, to its last row.
    guard backup.manifest.differences(from: try scanner.finish(), readBy: toolbox).isEmpty else {
      throw Failure(
        "export_differs", exit: .dataDamaged, what: "export of \(backup.id)",
        why: "what was written differs from the backup's digests", nextStep: "holdfast verify \(backup.id)")
    }
    return written.value
  }
}

private final class ByteCount: @unchecked Sendable {
  private let lock = NSLock()
  private var bytes: UInt64 = 0
  func add(_ count: Int) { lock.withLock { bytes += UInt64(count) } }
  var value: UInt64 { lock.withLock { bytes } }
}
