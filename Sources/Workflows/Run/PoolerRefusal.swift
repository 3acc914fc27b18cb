import Diagnostics
import PostgresTools

extension ServerFacts {
  /// A pooler shares sessions: what one statement sets another session sees. The failure to show, nil on a direct connection.
  package func poolerRefusal(endpoint: String) -> Failure? {
    guard pooled else { return nil }
    return Failure(
      "pooler", exit: .configuration, what: "connection to \(endpoint)",
      why:
        "a connection pooler (PgBouncer or the like) stands between: snapshots and session settings do not survive it",
      nextStep: "give the server's own host and port in database.url; where Prisma has a direct URL, too: "
        + "url: ${DIRECT_URL}")
  }
}
