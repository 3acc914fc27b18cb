import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// How many connections a server has left for a role, whatever limits them.
struct ConnectionRoom {
  var limits: [ConnectionLimit]

  /// The limit that is reached first; nil: there is none.
  var tightest: ConnectionLimit? { limits.min { $0.free < $1.free } }

  /// - Parameter database: whose own limit counts, too.
  init(_ session: Session, database: String? = nil) throws(Failure) {
    let rows = try session.query(
      """
      SELECT pg_catalog.current_setting('max_connections')::int - CASE WHEN r.rolsuper THEN 0 ELSE
          pg_catalog.current_setting('superuser_reserved_connections')::int
          + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int END,
        pg_catalog.count(a.pid), r.rolsuper, r.rolname, r.rolconnlimit,
        pg_catalog.count(a.pid) FILTER (WHERE a.usesysid = r.oid), d.datname, d.datconnlimit,
        pg_catalog.count(a.pid) FILTER (WHERE a.datid = d.oid)
      FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_database d ON d.datname = $1
        LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid <> pg_catalog.pg_backend_pid() AND \(DatabaseSwap.isClient)
      WHERE r.rolname = current_user
      GROUP BY r.oid, r.rolsuper, r.rolname, r.rolconnlimit, d.oid, d.datname, d.datconnlimit
      """, [database])
    let row = try Row(rows.first)
    func number(_ column: Int) throws(Failure) -> Int { Int(try row.text(column)) ?? 0 }
    limits = [ConnectionLimit(of: "the server", limit: try number(0), used: try number(1))]
    // A superuser is above the limits of databases and roles.
    guard try !row.flag(2) else { return }
    if try number(4) >= 0 {
      limits.append(ConnectionLimit(of: "role \(try row.text(3))", limit: try number(4), used: try number(5)))
    }
    if let name = row[6], try number(7) >= 0 {
      limits.append(ConnectionLimit(of: "database \(name)", limit: try number(7), used: try number(8)))
    }
  }
}

extension Surroundings {
  /// How many tables are worked on at the same time, by the policy and by what its server has left.
  ///
  /// - Parameter database: whose own limit counts, too.
  func jobs(of policy: Policy, on session: Session, database: String? = nil) throws(Failure) -> Int {
    if let wanted = policy.jobs { return wanted }
    let room = try ConnectionRoom(session, database: database)
    return jobCount(wanted: nil, cores: cores, free: room.tightest?.free)
  }

  /// With no more threads, each of which has a session on the server, than the policy's jobs, and with its trust in the databases' owners.
  func limited(by policy: Policy, on session: Session) throws(Failure) -> Surroundings {
    var limited = trusting(policy)
    limited.cores = try jobs(of: policy, on: session)
    return limited
  }

  /// With the policy's trust in the owners of what is restored.
  func trusting(_ policy: Policy) -> Surroundings {
    var trusting = self
    trusting.trustsOwner = policy.trustsOwner
    return trusting
  }
}
