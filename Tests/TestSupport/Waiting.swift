import Diagnostics
import Foundation

/// Asks again until it is so, instead of sleeping and hoping.
///
/// - Throws: an internal error naming `what` when it is still not so after `seconds`.
package func waitUntil(_ what: String, seconds: Double = 120, _ isSo: () throws -> Bool) throws {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while try !isSo() {
    guard Date() < deadline else { throw Failure.internalError("waited \(seconds) s in vain until \(what)") }
    usleep(20_000)
  }
}
