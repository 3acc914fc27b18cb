import Foundation

/// One line of a deploy's journal. Written, and on the disk, before what it announces is done.
package struct DeployEvent: Sendable, Equatable, Codable {
  package enum Step: String, Sendable, Codable {
    // The deploy.
    case began, snapshotTaken = "snapshot-taken", copying, copied, applying, applied, failed, finished
    // Its rollback.
    case rollbackBegan = "rollback-began", restored, swapping, swapped, rolledBack = "rolled-back"
    // The end of either by hand.
    case abandoned
    // The swap back.
    case undoing, undone
  }

  package var step: Step
  package var at: Date
  /// Of the second: times are written without. A rollback and the deploy after it may be of one second.
  private var milliseconds: Int?
  /// The migration, for `applying`, `applied` and `failed`.
  package var migration: String?
  /// For `applied`: the transaction that the script ran in, as xmin has it.
  package var transaction: String?
  /// Pending migrations, for `began`; undone ones, for `rollback-began`.
  package var migrations: [String]?
  package var backup: String?
  /// For `rollback-began`: the moment that its backup holds.
  package var holds: BackupMoment?
  package var database: String?
  /// The database that is restored beside; for `copying` and `copied`, the standby copy.
  package var temporary: String?
  /// For `copied`: `pg_current_snapshot` at the moment that the copy holds, where that is not its backup's.
  package var snapshot: String?
  /// For `copied`: what shows later whether the copy is still the same. For `swapping`: the oid of the database that gets the live name; for
  /// `rollback-began`, of the one that has it.
  package var identity: String?
  /// The name that the replaced database gets.
  package var keptAs: String?
  /// A failed script left nothing behind.
  package var atomic: Bool?
  package var error: String?

  package init(
    _ step: Step, at: Date, migration: String? = nil, transaction: String? = nil, migrations: [String]? = nil,
    backup: String? = nil, holds: BackupMoment? = nil, database: String? = nil, temporary: String? = nil,
    snapshot: String? = nil, identity: String? = nil, keptAs: String? = nil, atomic: Bool? = nil, error: String? = nil
  ) {
    self.step = step
    self.at = at
    milliseconds = Int((at.timeIntervalSince1970 - at.timeIntervalSince1970.rounded(.down)) * 1000)
    self.migration = migration
    self.transaction = transaction
    self.migrations = migrations
    self.backup = backup
    self.holds = holds
    self.database = database
    self.temporary = temporary
    self.snapshot = snapshot
    self.identity = identity
    self.keptAs = keptAs
    self.atomic = atomic
    self.error = error
  }

  fileprivate var moment: Date {
    Date(timeIntervalSince1970: at.timeIntervalSince1970.rounded(.down) + Double(milliseconds ?? 0) / 1000)
  }
}

/// What a deploy's journal tells: a pure reading of its events.
package struct DeployRecord: Sendable, Equatable {
  package enum State: String, Sendable {
    /// It has no end yet: it runs, or was interrupted.
    case open
    case applied, failed
    case rolledBack = "rolled-back"
    case abandoned
    /// Its rollback has begun and has no end yet.
    case rollingBack = "rolling-back"
    case undoing
  }

  package let id: String
  package private(set) var state = State.open
  package private(set) var startedAt: Date
  package private(set) var database = ""
  package private(set) var pending: [String] = []
  package private(set) var applied: [String] = []
  /// The transactions of applied migrations, by their names.
  package private(set) var transactions: [String: String] = [:]
  package private(set) var failed: String?
  /// The failed script left nothing behind.
  package private(set) var failedAtomically = false
  /// The migration that was begun and of which nothing more is known.
  package private(set) var inDoubt: String?
  /// Another program applies the migrations.
  package private(set) var byCommand = false
  /// The snapshot taken before.
  package private(set) var backup: String?
  /// The snapshot kept as a database too.
  package private(set) var copy: StandbyCopy?
  package private(set) var rollback: Rollback?
  /// Why the last try to roll it back failed, `code: reason`, where the content, the schema or a privilege was at fault; nil: it did not.
  package private(set) var failedRollback: String?
  package private(set) var failedRollbackAt: Date?
  /// Why a trial before it said that a restore would fail; a copy of the database is its only way back then.
  package private(set) var restoreProblem: String?
  /// Names that rollbacks and their undoing have given to the databases they replaced.
  package private(set) var keptNames: [String] = []
  /// When each of them was replaced.
  package private(set) var keptSince: [String: Date] = [:]
  /// How the deploy itself ended; nil when it did not.
  private var end: State?

  /// A database that holds what a rollback brings back, so that it is a rename.
  package struct StandbyCopy: Sendable, Equatable {
    package var name: String
    package var isWhole = false
    package var identity: String?
    /// Nil: it holds what the snapshot's backup holds.
    package var snapshot: String?

    package init(name: String, isWhole: Bool = false, identity: String? = nil) {
      self.name = name
      self.isWhole = isWhole
      self.identity = identity
    }
  }

  /// A rollback as far as it got.
  package struct Rollback: Sendable, Equatable {
    package var backup: String
    /// The moment that it holds; nil in journals of an older version.
    package var holds: BackupMoment?
    package var database: String
    package var temporary: String
    package var undoes: [String]
    /// The database that is restored beside; nil when only the history is resolved.
    package var temporaryName: String? { temporary.isEmpty ? nil : temporary }
    package var restored = false
    /// What the restored database was known by when it was whole, as that of a standby copy; nil in journals of an older version.
    package var restoredIdentity: String?
    package var keptAs: String?
    /// The database that is, or was, about to get the live name: its oid, which stays its own whatever it is called.
    package var replacement: String?
    /// The oid of the live database when it began; nil: there was none.
    package var live: String?
    package var swapped = false
    package var undone = false
    /// When it began; once the names are exchanged, when that was.
    package var at: Date
  }

  /// - Returns: nil for a journal without a beginning.
  package init?(id: String, events: [DeployEvent]) {
    guard let first = events.first else { return nil }
    self.id = id
    startedAt = first.moment
    for event in events { take(event) }
  }

  private mutating func take(_ event: DeployEvent) {
    let isExchange = event.step == .undoing || event.step == .swapping
    for name in [event.keptAs, isExchange ? event.temporary : nil].compactMap({ $0 })
    where !keptNames.contains(name) {
      keptNames.append(name)
      keptSince[name] = event.moment
    }
    switch event.step {
    case .began:
      pending = event.migrations ?? []
      database = event.database ?? ""
      restoreProblem = event.error
    case .snapshotTaken: backup = event.backup
    case .copying: copy = event.temporary.map { StandbyCopy(name: $0) }
    case .copied:
      copy?.isWhole = true
      copy?.snapshot = event.snapshot
      copy?.identity = event.identity
    case .applying:
      inDoubt = event.migration
      byCommand = event.migrations != nil
    case .applied:
      inDoubt = nil
      applied += [event.migration].compactMap { $0 }
      if let migration = event.migration { transactions[migration] = event.transaction }
    case .failed:
      inDoubt = nil
      failed = event.migration
      failedAtomically = event.atomic ?? false
      come(to: .failed)
    case .finished: come(to: failed == nil && event.error == nil ? .applied : .failed)
    case .abandoned:
      if state == .rollingBack, let failure = event.error.flatMap(Self.lasting) {
        (failedRollback, failedRollbackAt) = (failure, event.moment)
      }
      abandon()
    case .rollbackBegan, .restored, .swapping, .swapped, .rolledBack, .undoing, .undone: takeRollback(event)
    }
  }

  private mutating func come(to end: State) {
    self.end = end
    state = end
  }

  /// - Returns: nil for a failure that says nothing of the next try.
  private static func lasting(_ error: String) -> String? {
    let codes = [
      "restored_differs", "unrestorable_object", "server_error", "child_failed", "restore_needs", "row_type_order",
      "no_way_back", "backup_damaged",
    ]
    return codes.contains { error.hasPrefix("\($0): ") } ? error : nil
  }

  /// Given up is whatever had begun last; what stood before it stands again.
  private mutating func abandon() {
    switch state {
    case .rollingBack:
      state = end ?? .abandoned
      rollback = nil
    case .undoing: state = .rolledBack
    default: state = .abandoned
    }
  }

  private mutating func takeRollback(_ event: DeployEvent) {
    switch event.step {
    case .rollbackBegan:
      state = .rollingBack
      database = event.database ?? database
      rollback = Rollback(
        backup: event.backup ?? "", holds: event.holds, database: database, temporary: event.temporary ?? "",
        undoes: event.migrations ?? [], live: event.identity, at: event.moment)
    case .restored:
      rollback?.restored = true
      failedRollback = nil
      rollback?.restoredIdentity = event.identity
    case .swapping:
      rollback?.keptAs = event.keptAs
      rollback?.replacement = event.identity
    case .swapped:
      rollback?.swapped = true
      rollback?.at = event.moment
    case .rolledBack:
      state = .rolledBack
      failedRollback = nil
    case .undoing:
      state = .undoing
      rollback?.temporary = event.temporary ?? ""
    case .undone:
      rollback?.undone = true
      state = end ?? .abandoned
    default: break
    }
  }

  /// Somebody has to finish it or give it up, unless it is running just now.
  package var isUnfinished: Bool { state == .open || state == .rollingBack || state == .undoing }

  /// No migration of it was begun.
  package var hasBegunNothing: Bool { applied.isEmpty && inDoubt == nil && failed == nil && !byCommand }

  /// It has ended, and a snapshot leads back to before it.
  package var canBeRolledBack: Bool { (state == .applied || state == .failed) && backup != nil }
}
