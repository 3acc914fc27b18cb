import CLibPQ
import Diagnostics
import Foundation

/// Loading rows: as long as they take.
extension Session {
  /// Runs a `COPY … FROM STDIN` with the rows that `feed` puts, piece by piece.
  ///
  /// - Parameter statement: in the session's `client_encoding`, without a NUL.
  /// - Throws: `ServerError` mapped to a `Failure`; `Failure.stopped`; what `feed` throws, after the statement was given up.
  package func copyIn(
    _ statement: [UInt8],
    feed: (_ put: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void
  ) throws(Failure) {
    lock.lock()
    defer { lock.unlock() }
    try beginCopy(statement)
    do throws(Failure) { try feed { (bytes) throws(Failure) in try putRows(bytes) } } catch {
      try endCopy(because: error)
    }
    try endCopy()
  }

  /// Begins a `COPY … FROM STDIN`, for rows that come from elsewhere: `putRows` has to follow, and `endCopy`, and nothing else.
  ///
  /// - Throws: as `copyIn`.
  package func beginCopy(_ statement: [UInt8]) throws(Failure) {
    lateness = nil
    guard send(bytes: statement), waitForResult(), let begin = PQgetResult(connection) else { throw lost().failure }
    defer { PQclear(begin) }
    guard PQresultStatus(begin) == PGRES_COPY_IN else {
      let refusal = ServerError(begin, stopped: stopSignal, endpoint: target.endpoint).failure
      while waitForResult(), let result = PQgetResult(connection) { PQclear(result) }
      throw cancellation.signal.map(Failure.stopped) ?? refusal
    }
    PQsetnonblocking(connection, 1)
  }

  /// - Parameter cause: gives the statement up, and is thrown.
  package func endCopy(because cause: Failure? = nil) throws(Failure) {
    var cause = cause
    while PQputCopyEnd(connection, cause == nil ? nil : "the rows could not be read to their end") == 0, waitForRoom() {
    }
    while PQflush(connection) == 1, waitForRoom() {}
    PQsetnonblocking(connection, 0)
    while waitForResult(), let result = PQgetResult(connection) {
      if case .failure(let error) = read(result), cause == nil { cause = error.failure }
      PQclear(result)
    }
    if let cause { throw cancellation.signal.map(Failure.stopped) ?? cause }
    guard PQstatus(connection) == CONNECTION_OK else { throw lost().failure }
  }

  package func putRows(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    guard !bytes.isEmpty else { return }
    guard PQputCopyData(connection, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count)) == 1 else {
      throw lost().failure
    }
    // libpq would keep all that the server does not take yet.
    while true {
      switch PQflush(connection) {
      case 0: return
      case 1 where waitForRoom(): continue
      default: throw lost().failure
      }
    }
  }

  /// Waits until the server takes more, or has something to say about it.
  private func waitForRoom() -> Bool {
    let wait = Wait()
    while cancellation.signal == nil, lateness != .silence, !isSilent(wait) {
      var waiting = pollfd(fd: PQsocket(connection), events: Int16(POLLIN | POLLOUT), revents: 0)
      _ = poll(&waiting, 1, 100)
      guard waiting.revents != 0 else { continue }
      return waiting.revents & Int16(POLLIN) == 0 || takeInput()
    }
    return false
  }
}
