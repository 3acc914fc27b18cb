import Diagnostics
import Foundation

/// How long a server has sent nothing to a program of PostgreSQL's. One that is gone is noticed by the network; one that is there and says nothing
/// would be waited for without an end, with the policy locked.
package final class ServerSilence: @unchecked Sendable {
  private let what: String
  private let limit: Duration
  private let why: String
  private let lock = NSLock()
  // The time that a machine sleeps is nobody's silence.
  private var last = SuspendingClock.now
  private var wasTooLong = false

  /// For a dump. A table that is all but empty and as large as a disk is read for hours without a row.
  package static let dumpLimit = inTests ?? .seconds(12 * 3600)

  /// For a statement of our own, and for what builds indexes, for days perhaps.
  package static let statementLimit = inTests ?? .seconds(7 * 86_400)

  /// In a debug build HOLDFAST_SILENCE_SECONDS is another limit.
  private static let inTests: Duration? = {
    #if DEBUG
      ProcessInfo.processInfo.environment["HOLDFAST_SILENCE_SECONDS"].flatMap(Int.init).map { .seconds($0) }
    #else
      nil
    #endif
  }()

  /// A limit for people: `12 hours`.
  static func words(_ limit: Duration) -> String {
    let hours = limit.components.seconds / 3600
    return hours >= 1 ? "\(hours) hours" : "\(limit.components.seconds) s"
  }

  /// - Parameters:
  ///   - what: is done meanwhile, for the failure.
  ///   - why: what it is called when the limit is over, without the limit.
  package init(_ what: String, limit: Duration = dumpLimit, why: String = "the server has sent nothing for") {
    self.why = why
    self.what = what
    self.limit = limit
  }

  /// Something has come.
  package func end() { lock.withLock { last = .now } }

  /// Once it was, it is: the program has been told to end.
  var isTooLong: Bool {
    lock.withLock {
      wasTooLong = wasTooLong || SuspendingClock.now - last >= limit
      return wasTooLong
    }
  }

  /// - Parameter succeeded: the program, for all that it was told to end.
  /// - Throws: `server_timeout`.
  func check(succeeded: Bool) throws(Failure) {
    guard !succeeded, lock.withLock({ wasTooLong }) else { return }
    throw Failure(
      "server_timeout", exit: .unavailable, what: what,
      why: "\(why) \(Self.words(limit))",
      nextStep: "see what it does (pg_stat_activity), then run the same command again")
  }
}
