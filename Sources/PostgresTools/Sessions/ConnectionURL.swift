import BackupModel
import CLibPQ
import Diagnostics
import Foundation

/// Reads a policy's `database.url`: Prisma's form of a PostgreSQL URL, libpq's, or libpq's keywords.
///
/// Prisma's own parameters are translated or dropped, so that one URL serves both; what cannot be translated is refused.
/// No text of the URL ever gets into an error: it has a password.
package enum ConnectionURL {
  /// - Throws: `bad_database_url`.
  package static func parse(_ url: Secret) throws(Failure) -> ConnectionTarget {
    let text = url.reveal().trimmingCharacters(in: .whitespacesAndNewlines)
    if let rest = text.dropping(prefix: "postgresql://") ?? text.dropping(prefix: "postgres://") {
      return try checked(URLParser(rest).target())
    }
    if text.hasPrefix("prisma://") || text.hasPrefix("prisma+postgres://") {
      throw bad(
        "it is a Prisma Accelerate or Prisma Postgres URL, which only Prisma's own client speaks",
        "give the direct URL of the database: postgresql://user:password@host:5432/database")
    }
    if text.contains("=") { return try checked(keywords(text)) }
    throw bad(
      "it is neither a URL (postgresql://…) nor libpq's keywords (host=… dbname=…)",
      "write it as postgresql://user:password@host:5432/database")
  }

  /// - Throws: `bad_database_url` for a password that no password file can hold: the programs of PostgreSQL get it by one.
  private static func checked(_ target: ConnectionTarget) throws(Failure) -> ConnectionTarget {
    guard target.password?.reveal().unicodeScalars.contains(where: { ["\n", "\r", "\0"].contains($0) }) != true else {
      throw bad("its password has a line end in it", "give the role a password without one: ALTER ROLE … PASSWORD …")
    }
    return target
  }

  static func bad(_ why: String, _ next: String) -> Failure {
    Failure("bad_database_url", exit: .configuration, what: "database.url", why: why, nextStep: next)
  }

  /// `host=… dbname=…`, as libpq reads it.
  private static func keywords(_ text: String) throws(Failure) -> ConnectionTarget {
    guard let options = PQconninfoParse(text, nil) else {
      throw bad("libpq cannot read it", "check the quoting of its values")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    return try target(from: values)
  }

  /// Host and port as Prisma takes them; and a server that is gone must show within minutes, not hours.
  private static let defaults = [
    "host": "localhost", "port": "5432", "connect_timeout": "5", "keepalives_idle": "60",
    "keepalives_interval": "10", "keepalives_count": "6",
  ]

  /// Fills in what Prisma and libpq would take different defaults for, and parts the password from the rest.
  static func target(from values: [String: String]) throws(Failure) -> ConnectionTarget {
    var parameters = values.filter { !$0.value.isEmpty }
    try refuseUnsupported(parameters)
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
    guard modes.contains(parameters["sslmode"] ?? "prefer") else {
      throw bad("its sslmode is none of PostgreSQL's", "write one of \(modes.joined(separator: ", "))")
    }
    guard parameters["dbname"] != nil else {
      throw bad("it names no database", "put the name behind the host: postgresql://user:password@host:5432/database")
    }
    let given = Set(parameters.keys)
    for (name, value) in defaults where parameters[name] == nil { parameters[name] = value }
    if parameters["user"] == nil { parameters["user"] = NSUserName() }
    for (name, value) in parameters where (name + value).unicodeScalars.contains("\0") {
      throw bad("the parameter \(name) has a NUL in it", "take it out")
    }
    let password = parameters.removeValue(forKey: "password") ?? ConnectionVariables.password
    // The one that is given wins, as with libpq; a child that was told of the file would look there.
    if password != nil { parameters["passfile"] = nil }
    for name in ours { parameters[name] = nil }
    return ConnectionTarget(parameters: parameters, password: password.map(Secret.init), given: given)
  }

  /// Holdfast's own: its sessions can be told by their name, and a dump is read as UTF-8.
  static let ours = ["application_name", "fallback_application_name", "client_encoding"]

  private static func refuseUnsupported(_ parameters: [String: String]) throws(Failure) {
    if parameters["service"] != nil {
      throw bad(
        "it names a service of pg_service.conf, which Holdfast does not read",
        "write host, port, user and database of the service into database.url")
    }
    for name in ["sslpassword", "replication"] where parameters[name] != nil {
      throw bad("the parameter \(name) is not supported", "leave it out")
    }
    if let timeout = parameters["connect_timeout"], Int(timeout) == nil {
      throw bad("its connect_timeout is no number of seconds", "write connect_timeout=5, or leave it out")
    }
  }
}

extension StringProtocol {
  fileprivate func dropping(prefix: String) -> Substring? {
    hasPrefix(prefix) ? Substring(dropFirst(prefix.count)) : nil
  }
}

/// `user:password@host:port,host:port/database?name=value&…`
private struct URLParser {
  private let authority: Substring
  private let path: Substring
  private let query: Substring

  init(_ rest: Substring) {
    let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let location = parts.first ?? ""
    query = parts.dropFirst().first ?? ""
    let slash = location.firstIndex(of: "/") ?? location.endIndex
    authority = location[..<slash]
    path = location[slash...].dropFirst()
  }

  func target() throws(Failure) -> ConnectionTarget {
    guard !authority.contains("#"), !path.contains("#") else {
      throw ConnectionURL.bad("it has a bare #", "write # in a password as %23")
    }
    var values: [String: String] = [:]
    var hosts = authority
    if let at = authority.lastIndex(of: "@") {
      hosts = authority[authority.index(after: at)...]
      let user = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      values["user"] = try decode(user.first ?? "")
      if user.count > 1 { values["password"] = try decode(user[1]) }
    }
    try take(hosts: hosts, into: &values)
    values["dbname"] = try decode(path)
    let given = try parameters()
    let translated = try PrismaParameters(given)
    values.merge(translated.libpq) { _, parameter in parameter }
    var target = try ConnectionURL.target(from: values)
    target.schema = translated.schema
    target.namesPooler = translated.namesPooler
    return target
  }

  private func take(hosts: Substring, into values: inout [String: String]) throws(Failure) {
    guard !hosts.isEmpty else { return }
    var names: [String] = []
    var ports: [String] = []
    for host in hosts.split(separator: ",", omittingEmptySubsequences: false) {
      let (name, port) = splitPort(host)
      names.append(try decode(name))
      if !port.isEmpty, UInt16(port) ?? 0 == 0 {
        throw ConnectionURL.bad("its port is not a number from 1 to 65535", "check what stands after the host's colon")
      }
      ports.append(String(port))
    }
    values["host"] = names.joined(separator: ",")
    if ports.contains(where: { !$0.isEmpty }) {
      values["port"] = ports.map { $0.isEmpty ? "5432" : $0 }.joined(separator: ",")
    }
  }

  /// `[::1]:5432` → `::1`, `5432`.
  private func splitPort(_ host: Substring) -> (Substring, Substring) {
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
      return (host[host.index(after: host.startIndex)..<end], host[host.index(after: end)...].dropFirst())
    }
    let colon = host.firstIndex(of: ":") ?? host.endIndex
    return (host[..<colon], host[colon...].dropFirst())
  }

  private func parameters() throws(Failure) -> [String: String] {
    var given: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      given[try decode(parts.first ?? "")] = try decode(parts.count > 1 ? parts[1] : "")
    }
    return given
  }

  private func decode(_ text: Substring) throws(Failure) -> String {
    guard let decoded = text.removingPercentEncoding else {
      throw ConnectionURL.bad("it has a % that no two hexadecimal digits follow", "write a % in a password as %25")
    }
    return decoded
  }
}
