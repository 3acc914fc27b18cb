import Diagnostics
import Foundation
import PostgresTools

/// Looks every second at what a session waits for, while a script runs on it, and tells when that changes.
final class LockObserver: @unchecked Sendable {
  private let books: Session
  private let process: Int
  private let tell: @Sendable (String) -> Void
  private let timer: any DispatchSourceTimer
  private let queue = DispatchQueue(label: "lock observer")
  private var last = ""

  init(books: Session, process: Int, tell: @escaping @Sendable (String) -> Void) {
    self.books = books
    self.process = process
    self.tell = tell
    timer = DispatchSource.makeTimerSource(queue: queue)
    timer.schedule(deadline: .now() + 1, repeating: 1)
    timer.setEventHandler { @Sendable [weak self] in self?.look() }
    timer.resume()
  }

  /// Returns once no look is under way.
  func stop() {
    timer.cancel()
    queue.sync {}
  }

  private func look() {
    let sql = """
      SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), coalesce(state, '')
      FROM pg_catalog.pg_stat_activity WHERE pid = ANY (pg_catalog.pg_blocking_pids(\(process))) ORDER BY query_start
      """
    // An observation that fails is none; the script's own result tells the rest.
    guard case .success(let rows) = books.attempt(sql) else { return }
    let blockers = rows.map { row in row.compactMap { $0 }.joined(separator: " ") }
    let text = blockers.isEmpty ? "" : "waits for a lock held by pid \(blockers.joined(separator: ", pid "))"
    if text != last, !text.isEmpty { tell(text) }
    last = text
  }
}
