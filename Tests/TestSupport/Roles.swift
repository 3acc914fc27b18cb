import Foundation

/// Roles of the shared cluster, made by whichever test comes first.
package enum Roles {
  private static let lock = NSLock()

  /// Those of hostile.sql, which makes them itself where it is alone.
  package static func makeHostile(_ cluster: TestCluster) throws {
    try lock.withLock {
      guard try cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'app_owner'") == "0" else { return }
      try cluster.psql("CREATE ROLE app_owner; CREATE ROLE app_rw LOGIN; CREATE ROLE app_ro LOGIN")
    }
  }

  /// `locked`, the one role that the cluster asks for a password.
  package static func makeLocked(_ cluster: TestCluster, password: String) throws {
    let quoted = password.replacing("'", with: "''").replacing("\\", with: "\\\\")
    try lock.withLock {
      if try cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'locked'") == "0" {
        try cluster.psql("CREATE ROLE locked LOGIN CREATEDB")
      }
      try cluster.psql("ALTER ROLE locked PASSWORD E'\(quoted)'")
    }
  }
}
