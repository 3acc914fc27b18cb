import Diagnostics
import Foundation

/// How long a server has sent nothing to a program of PostgreSQL's. One that is gone is noticed by the network; one that is there and says nothing
/// would be waited for without an end, with the policy locked.
package final class ServerSilence: @unchecked Sendable {
  private let what: String
  private let lock = NSLock()
  // The time that a machine sleeps is nobody's silence.
  private var last = SuspendingClock.now
  private var wasTooLong = false

  /// A table that is all but empty and as large as a disk is read for hours without a row. In a debug build HOLDFAST_SILENCE_SECONDS is
  /// another limit, for tests.
  private static let limit: Duration = {
    #if DEBUG
      if let seconds = ProcessInfo.processInfo.environment["HOLDFAST_SILENCE_SECONDS"].flatMap(Int.init) {
        return .seconds(seconds)
      }
    #endif
    return .seconds(12 * 3600)
  }()

  /// - Parameter what: is done meanwhile, for the failure.
  package init(_ what: String) { self.what = what }

  /// Something has come.
  package func end() { lock.withLock { last = .now } }

  /// Once it was, it is: the program has been told to end.
  var isTooLong: Bool {
    lock.withLock {
      wasTooLong = wasTooLong || SuspendingClock.now - last >= Self.limit
      return wasTooLong
    }
  }

  /// - Parameter exit: of the program that was ended for it.
  /// - Throws: `server_timeout`.
  func check(_ exit: ChildExit) throws(Failure) {
    guard !exit.succeeded, lock.withLock({ wasTooLong }) else { return }
    let hours = Self.limit / .seconds(3600)
    throw Failure(
      "server_timeout", exit: .unavailable, what: what,
      why:
        "the server has sent nothing for \(hours >= 1 ? "\(Int(hours)) hours" : "\(Int(Self.limit / .seconds(1))) s")",
      nextStep: "see what it does (pg_stat_activity), then run the same command again")
  }
}
