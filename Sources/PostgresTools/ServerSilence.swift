import Diagnostics
import Foundation

/// How long a server has sent nothing to a dump. One that is gone is noticed by the network; one that is there and says nothing would be waited for
/// without an end, with the policy locked.
package final class ServerSilence: @unchecked Sendable {
  private let lock = NSLock()
  private var last = ContinuousClock.now

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

  package init() {}

  /// Something has come.
  package func end() { lock.withLock { last = .now } }

  package var isTooLong: Bool { lock.withLock { ContinuousClock.now - last >= Self.limit } }

  /// - Parameter exit: of the program that was ended for it.
  /// - Throws: `server_timeout`.
  package func check(_ exit: ChildExit, what: String) throws(Failure) {
    guard !exit.succeeded, isTooLong else { return }
    throw Failure(
      "server_timeout", exit: .unavailable, what: what,
      why: "the server has sent nothing for \(Int(Self.limit / .seconds(60))) minutes",
      nextStep: "see what it does (pg_stat_activity), then run the same command again")
  }
}
