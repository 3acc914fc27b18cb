import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Exchanges databases by their names, in one transaction, behind a fence.
///
/// At no instant is the live name missing: whoever connects finds the old database, the fence's refusal, or the new one.
struct DatabaseSwap {
  /// On a maintenance database.
  let session: Session
  let cancellation: Cancellation

  func exists(_ name: String) throws(Failure) -> Bool {
    try !session.query("SELECT FROM pg_catalog.pg_database WHERE datname = $1", [name]).isEmpty
  }

  /// Sessions on a database, by application.
  func sessions(on name: String) throws(Failure) -> [(application: String, count: Int)] {
    try session.query(
      """
      SELECT coalesce(nullif(application_name, ''), 'unnamed'), pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
      WHERE datname = $1 AND backend_type = 'client backend' AND application_name NOT LIKE 'holdfast%'
      GROUP BY 1 ORDER BY 2 DESC, 1
      """, [name]
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return (try row.text(0), Int(try row.text(1)) ?? 0)
    }
  }

  /// What would stand in the way of a rename, or stay behind with the old database.
  func obstacles(_ name: String) throws(Failure) -> (blocking: [String], staying: [String]) {
    let prepared = try texts(
      "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY 1", name)
    let slots = try texts(
      "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1 ORDER BY 1", name)
    let subscriptions = try texts(
      """
      SELECT subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
      WHERE d.datname = $1 ORDER BY 1
      """, name)
    return (
      prepared.map { "prepared transaction \($0)" },
      slots.map { "replication slot \($0)" } + subscriptions.map { "subscription \($0)" }
    )
  }

  private func texts(_ sql: String, _ name: String) throws(Failure) -> [String] {
    // A role that may not read a catalog is told nothing of it.
    guard case .success(let rows) = session.attempt(sql, [name]) else { return [] }
    return rows.compactMap { $0.first ?? nil }
  }

  /// Lets nobody in and ends every session.
  ///
  /// - Throws: `fence_failed` when sessions stay; the fence is then open again.
  func fence(_ name: String) throws(Failure) {
    try session.query("ALTER DATABASE \(quoteIdentifier(name)) ALLOW_CONNECTIONS false")
    let deadline = Date(timeIntervalSinceNow: 15)
    while true {
      try session.query(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1", [name])
      let left = try session.query("SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1", [name])
      if left.isEmpty { return }
      guard Date() < deadline, cancellation.signal == nil else { break }
      usleep(20_000)
    }
    try openFence(name)
    throw Failure(
      "fence_failed", exit: .failed, what: "swap of \(name)", why: "sessions on it do not end; nothing was changed",
      nextStep: "stop what holds them (holdfast's role must be allowed to end them), then: holdfast resume")
  }

  func openFence(_ name: String) throws(Failure) {
    try session.query("ALTER DATABASE \(quoteIdentifier(name)) ALLOW_CONNECTIONS true")
  }

  /// `live` gets the name `keptAs`, and `replacement` the name `live`.
  ///
  /// A missing `live` is no obstacle: then the replacement just takes the name.
  func exchange(live: String, keptAs: String, replacement: String) throws(Failure) {
    let liveExists = try exists(live)
    try fence(replacement)
    if liveExists { try fence(live) }
    do throws(Failure) {
      try session.query("BEGIN")
      if liveExists {
        try session.query("ALTER DATABASE \(quoteIdentifier(live)) RENAME TO \(quoteIdentifier(keptAs))")
        try openFence(keptAs)
      }
      try session.query("ALTER DATABASE \(quoteIdentifier(replacement)) RENAME TO \(quoteIdentifier(live))")
      try openFence(live)
      try session.query("COMMIT")
    } catch {
      _ = session.attempt("ROLLBACK")
      if liveExists { _ = session.attempt("ALTER DATABASE \(quoteIdentifier(live)) ALLOW_CONNECTIONS true") }
      throw error
    }
  }
}
