import Foundation

/// One backup as the repository shows it: its manifest, and what came later.
package struct Backup: Sendable, Equatable {
  package var manifest: Manifest
  /// Absolute path of its folder.
  package var path: String
  package var hold: Hold?
  /// In the order in which they were made.
  package var verifications: [Verification]

  package init(manifest: Manifest, path: String, hold: Hold?, verifications: [Verification]) {
    self.manifest = manifest
    self.path = path
    self.hold = hold
    self.verifications = verifications
  }

  package var id: String { manifest.id }

  /// By the bytes of the name: to Swift, not to PostgreSQL, an é of one character is equal to one of two.
  package func isOf(database: String) -> Bool { manifest.source.database.utf8.elementsEqual(database.utf8) }

  /// Whether it is of the same policy and database, on the same server.
  package func isLike(_ other: Backup) -> Bool {
    manifest.policy == other.manifest.policy && isOf(database: other.manifest.source.database)
      && manifest.source.systemIdentifier == other.manifest.source.systemIdentifier
  }

  /// Damaged as soon as one verification failed, until one at least as thorough has passed.
  package var state: State {
    var damage: VerificationLevel?
    for verification in verifications {
      if !verification.ok {
        damage = max(damage ?? verification.level, verification.level)
      } else if let level = damage, verification.level >= level {
        damage = nil
      }
    }
    return damage == nil ? .complete : .damaged
  }

  /// The last verification that passed at the most thorough level; when damaged, the one that says so.
  package var verification: Verification? {
    switch state {
    case .damaged: verifications.last { !$0.ok }
    case .complete:
      verifications.filter(\.ok).max { ($0.level, $0.at) < ($1.level, $1.at) }
    }
  }

  package enum State: String, Sendable, Codable { case complete, damaged }
}

/// One line of `verifications.jsonl`.
package struct Verification: Sendable, Equatable, Codable {
  package var level: VerificationLevel
  package var ok: Bool
  package var at: Date
  package var seconds: Double
  package var problems: [Problem]
  /// The backup was restored as a whole, and what came back was equal; nil: its files were read.
  package var restored: Restored?

  package struct Restored: Sendable, Equatable, Codable {
    /// How long the restore took, with its proof and statistics.
    package var seconds: Double
    /// The server's system identifier.
    package var server: String

    package init(seconds: Double, server: String) {
      self.seconds = seconds
      self.server = server
    }
  }

  package init(
    level: VerificationLevel, ok: Bool, at: Date, seconds: Double, problems: [Problem], restored: Restored? = nil
  ) {
    self.level = level
    self.ok = ok
    self.at = at
    self.seconds = seconds
    self.problems = problems
    self.restored = restored
  }
}

/// `hold.json`: why a backup is kept from pruning.
package struct Hold: Sendable, Equatable, Codable {
  package var reason: String
  package var at: Date
  /// When it ends by itself; nil: when it is released.
  package var until: Date?

  package init(reason: String, at: Date, until: Date? = nil) {
    self.reason = reason
    self.at = at
    self.until = until
  }

  package func stands(at now: Date) -> Bool { until.map { now < $0 } ?? true }
}
