import BackupModel
import Diagnostics
import Foundation

/// The exact count of what a rollback loses, made next to the restore, on a thread of its own.
final class WriteCount: @unchecked Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private let own = Cancellation()
  private let surroundings: Surroundings
  // Written before `ended` is signalled, read after it.
  private var outcome: Result<Found, Failure>?

  struct Found: Sendable {
    var writes: [TableWrites]
    var isComplete: Bool
    /// The server's counters when it began.
    var activity: Manifest.Activity
  }

  /// - Parameter make: makes what counts, with the surroundings that it is given.
  init(
    _ surroundings: Surroundings, _ make: @escaping @Sendable (Surroundings) throws(Failure) -> LostWrites
  ) {
    self.surroundings = surroundings
    var inner = surroundings
    inner.cancellation = own
    // The restore has the other cores.
    inner.cores = 1
    let started = startThread { [self, inner] in
      outcome = Self.result { () throws(Failure) in
        let lost = try make(inner)
        let activity = try lost.activity()
        let (writes, isComplete) = try lost.count()
        return Found(writes: writes, isComplete: isComplete, activity: activity)
      }
      ended.signal()
    }
    if !started {
      outcome = .failure(.internalError("no thread could be started"))
      ended.signal()
    }
  }

  private static func result(_ body: () throws(Failure) -> Found) -> Result<Found, Failure> {
    do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
  }

  /// Waits for the end of the count.
  ///
  /// - Throws: what kept it from its end; `Failure.stopped`.
  func found() throws(Failure) -> Found {
    surroundings.cancellation.withHandler({ [own] in own.cancel(signal: SIGTERM) }) { ended.wait() }
    ended.signal()
    try surroundings.cancellation.check()
    guard let outcome else { throw .internalError("the count has no result") }
    return try outcome.get()
  }

  /// Nobody needs it any more.
  func abandon() { own.cancel(signal: SIGTERM) }
}
