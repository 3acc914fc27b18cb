/// The process's exit codes: stable, documented in docs/exit-codes.md, scripted against by users.
package enum ExitCode: Int32, Sendable, CaseIterable {
  case done = 0
  /// The operation ran and failed: a child failed, a health check failed, a migration failed.
  case failed = 1
  /// `status`, `migrations` and `check`: somebody has to look.
  case attention = 2
  case usage = 64
  /// Stored data is damaged, or a digest differs from the manifest's.
  case dataDamaged = 65
  /// No such policy, backup or deploy.
  case notFound = 66
  /// The server or a tool is unavailable.
  case unavailable = 69
  case internalError = 70
  /// Cannot write: no space, no permission, the target exists.
  case cannotWrite = 73
  /// Another run holds the lock.
  case locked = 75
  case noPermission = 77
  case configuration = 78
  case interrupted = 130
  case terminated = 143
}

extension ExitCode {
  /// In the words of docs/exit-codes.md.
  package var meaning: String {
    switch self {
    case .done: "done"
    case .failed: "the operation ran and failed"
    case .attention: "attention needed"
    case .usage: "usage"
    case .dataDamaged: "data damaged, or a digest mismatch"
    case .notFound: "no such policy, backup or deploy"
    case .unavailable: "server or tool unavailable"
    case .internalError: "internal error"
    case .cannotWrite: "cannot write"
    case .locked: "another run holds the lock"
    case .noPermission: "privileges missing"
    case .configuration: "configuration error"
    case .interrupted: "interrupted (SIGINT)"
    case .terminated: "terminated (SIGTERM, SIGHUP, SIGQUIT)"
    }
  }
}
