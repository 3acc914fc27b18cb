/// A number of connections that must not be exceeded, and how many there are.
package struct ConnectionLimit: Sendable, Equatable {
  /// `the server`, `database shop`, `role shop_backup`.
  package var of: String
  package var limit: Int
  /// Without the session that asks.
  package var used: Int

  package init(of name: String, limit: Int, used: Int) {
    self.of = name
    self.limit = limit
    self.used = used
  }

  package var free: Int { max(0, limit - used) }
}

/// Sessions of a backup besides pg_dump's: for the snapshot, for the locks, and for the look at the queues.
private let ownSessions = 3

/// How many sessions a backup has at the same time.
package func sessionsOfBackup(jobs: Int, inParallel: Bool) -> Int {
  // pg_dump's first session leads its workers, and is the only one when there is one job.
  ownSessions + (inParallel && jobs > 1 ? jobs + 1 : 1)
}

/// How many tables are dumped or restored at the same time.
///
/// - Parameters:
///   - wanted: what the policy says; nil: `auto`.
///   - cores: that this process may use.
///   - free: connections that are free; nil where nobody knows.
package func jobCount(wanted: Int?, cores: Int, free: Int?) -> Int {
  if let wanted { return wanted }
  // Half of what is free, and never so many that our own sessions do not fit.
  let allowed = free.map { min($0 / 2, $0 - ownSessions - 1) } ?? cores
  return max(1, min(cores, 8, allowed))
}
