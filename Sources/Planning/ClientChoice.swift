import Diagnostics

/// PostgreSQL's client programs in one folder.
package struct ClientInstallation: Sendable, Equatable {
  /// Absolute path of the folder with pg_dump, pg_restore and pg_dumpall; empty behind a wrapper that finds them itself.
  package var directory: String
  package var version: ClientVersion
  /// Words before a program's name; none: it is run here.
  package var wrapper: [String]

  package init(directory: String, version: ClientVersion, wrapper: [String] = []) {
    self.directory = directory
    self.version = version
    self.wrapper = wrapper
  }

  /// `in /usr/lib/postgresql/15/bin`, `behind docker exec -i postgres`.
  package var place: String {
    wrapper.isEmpty ? "in \(directory)" : "behind \(wrapper.joined(separator: " "))"
  }
}

/// `15.20`
package struct ClientVersion: Sendable, Equatable, Comparable, CustomStringConvertible {
  package var major: Int
  package var minor: Int

  package init(major: Int, minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads what `pg_dump --version` prints: `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`, `… 18beta1`.
  package init?(printed: String) {
    guard let match = printed.firstMatch(of: /\(PostgreSQL\) (\d+)(?:\.(\d+))?/), let major = Int(match.1) else {
      return nil
    }
    self.init(major: major, minor: match.2.flatMap { Int($0) } ?? 0)
  }

  package var description: String { "\(major).\(minor)" }

  package static func < (left: ClientVersion, right: ClientVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  /// The first minor version of each major in which known ways to run code by a crafted archive or by a hostile server are closed
  /// (CVE-2026-116314, CVE-2026-18408, CVE-2026-6477).
  private static let firstSafeMinor = [14: 25, 15: 20, 16: 16, 17: 12, 18: 7]

  /// The oldest version of the same major that should read an archive; nil when this one may.
  package var floor: ClientVersion? {
    guard let safe = Self.firstSafeMinor[major], minor < safe else { return nil }
    return ClientVersion(major: major, minor: safe)
  }
}

/// Chooses the client for a server: the same major when it is installed, else the next newer one. An older pg_dump refuses a newer
/// server, and a newer one writes settings that an older server does not know.
///
/// - Parameter demanded: the place that the policy names; then nothing else is considered.
/// - Throws: `client_missing`, `client_too_old`.
package func chooseClient(
  for serverMajor: Int, among installed: [ClientInstallation], demanded: String? = nil
) throws(Failure) -> ClientInstallation {
  let usable = installed.filter { $0.version.major >= serverMajor }
  if let best = usable.min(by: { ($0.version.major, $1.version.minor) < ($1.version.major, $0.version.minor) }) {
    return best
  }
  let next =
    "apt-get install postgresql-client-\(serverMajor), or set tools.directory in the policy to a newer client's folder"
  guard let newest = installed.max(by: { $0.version < $1.version }) else {
    throw Failure(
      "client_missing", exit: .unavailable, what: "PostgreSQL client programs",
      why: demanded.map { "there is no pg_dump that runs in \($0)" } ?? "no pg_dump was found on this machine",
      nextStep: next)
  }
  throw Failure(
    "client_too_old", exit: .unavailable, what: "PostgreSQL client programs",
    why: "pg_dump \(newest.version) \(newest.place) cannot dump a server of major \(serverMajor)", nextStep: next
  )
}
