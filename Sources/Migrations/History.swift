import Diagnostics

/// One row of `_prisma_migrations`. Judged by its times alone: the rest may have been edited by hand.
package struct HistoryRow: Sendable, Equatable {
  package var id: String
  package var name: String
  package var checksum: String
  /// Times as the server writes them.
  package var startedAt: String
  package var finishedAt: String?
  package var rolledBackAt: String?
  package var logs: String?
  package var steps: Int

  package init(
    id: String, name: String, checksum: String, startedAt: String, finishedAt: String?, rolledBackAt: String?,
    logs: String?, steps: Int
  ) {
    self.id = id
    self.name = name
    self.checksum = checksum
    self.startedAt = startedAt
    self.finishedAt = finishedAt
    self.rolledBackAt = rolledBackAt
    self.logs = logs
    self.steps = steps
  }

  /// Keeps its migration from being applied again.
  package var isLive: Bool { rolledBackAt == nil }
  package var isApplied: Bool { isLive && finishedAt != nil }
  /// Failed, or being applied just now: only the lock tells these apart.
  package var isFailed: Bool { isLive && finishedAt == nil }
}

/// The migrations folder, compared with the history.
package struct MigrationStatus: Sendable, Equatable {
  /// On disk, without a live row; in the order of application.
  package var pending: [String]
  package var applied: [String]
  package var failed: [String]
  /// Begun and not ended, while a session holds the migration lock: such rows look like failed ones.
  package private(set) var running: [String] = []
  /// Every row of it is rolled back.
  package var rolledBack: [String]
  /// Applied, and its file is another one now.
  package var edited: [String]
  /// Has a live row, and no folder, or one without a script.
  package var missing: [String]

  /// Nothing pends and nothing is wrong.
  package var isClean: Bool { (pending + failed + running + edited + missing).isEmpty }

  /// - Parameter rows: ordered by their start.
  package init(folder: MigrationFolder, rows: [HistoryRow]) throws(Failure) {
    let live = Set(rows.filter(\.isLive).map(\.name))
    let onDisk = Set(folder.migrations.filter { $0.text != nil }.map(\.name))
    pending = folder.migrations.map(\.name).filter { !live.contains($0) }
    applied = Self.unique(rows.filter(\.isApplied).map(\.name))
    failed = Self.unique(rows.filter(\.isFailed).map(\.name))
    rolledBack = Self.unique(rows.map(\.name).filter { !live.contains($0) })
    missing = Self.unique(rows.filter(\.isLive).map(\.name).filter { !onDisk.contains($0) })
    edited = []
    // The live row's checksum: an earlier, rolled-back one may be that of a file that was corrected since.
    let liveRows = Dictionary(rows.filter(\.isApplied).map { ($0.name, $0) }) { _, last in last }
    let texts = Dictionary(folder.migrations.map { ($0.name, $0.text) }) { first, _ in first }
    for name in applied {
      guard let row = liveRows[name], let text = texts[name] ?? nil, try !ChecksumMatch.matches(row.checksum, text)
      else { continue }
      edited.append(name)
    }
  }

  /// Tells what runs from what failed: whoever fails leaves what the server said.
  package mutating func tellRunning(by rows: [HistoryRow]) {
    let begun = Set(rows.filter { $0.isFailed && ($0.logs ?? "").isEmpty }.map(\.name))
    running = failed.filter(begun.contains)
    failed.removeAll(where: begun.contains)
  }

  private static func unique(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}
