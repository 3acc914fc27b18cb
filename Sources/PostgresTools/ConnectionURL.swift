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
      return try URLParser(rest).target()
    }
    if text.hasPrefix("prisma://") || text.hasPrefix("prisma+postgres://") {
      throw bad(
        "it is a Prisma Accelerate or Prisma Postgres URL, which only Prisma's own client speaks",
        "give the direct URL of the database: postgresql://user:password@host:5432/database")
    }
    if text.contains("=") { return try keywords(text) }
    throw bad(
      "it is neither a URL (postgresql://…) nor libpq's keywords (host=… dbname=…)",
      "write it as postgresql://user:password@host:5432/database")
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

  /// Host, port and database as Prisma takes them; and a server that is gone must show within minutes, not hours.
  private static let defaults = [
    "host": "localhost", "port": "5432", "connect_timeout": "5", "dbname": "postgres", "keepalives_idle": "60",
    "keepalives_interval": "10", "keepalives_count": "6",
  ]

  /// Fills in what Prisma and libpq would take different defaults for, and parts the password from the rest.
  static func target(from values: [String: String]) throws(Failure) -> ConnectionTarget {
    var parameters = values.filter { !$0.value.isEmpty }
    for secret in ["sslpassword", "passfile", "service"] where parameters[secret] != nil {
      throw bad("the parameter \(secret) is not supported", "leave it out")
    }
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
    guard modes.contains(parameters["sslmode"] ?? "prefer") else {
      throw bad("its sslmode is none of PostgreSQL's", "write one of \(modes.joined(separator: ", "))")
    }
    let namesDatabase = parameters["dbname"] != nil
    for (name, value) in defaults where parameters[name] == nil { parameters[name] = value }
    if parameters["user"] == nil { parameters["user"] = NSUserName() }
    for (name, value) in parameters where (name + value).unicodeScalars.contains("\0") {
      throw bad("the parameter \(name) has a NUL in it", "take it out")
    }
    let password = parameters.removeValue(forKey: "password").map(Secret.init)
    parameters["application_name"] = nil  // ours, so that sessions can be told
    parameters["client_encoding"] = nil  // a dump is read as UTF-8
    return ConnectionTarget(parameters: parameters, password: password, namesDatabase: namesDatabase)
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

/// Prisma's connection parameters as libpq's.
private struct PrismaParameters {
  private(set) var libpq: [String: String] = [:]
  private(set) var schema: String?
  private(set) var namesPooler = false

  /// Passed on as they are. Anything unknown is dropped, as Prisma does; libpq would refuse it.
  private static let passed: Set<String> = [
    "host", "port", "user", "password", "dbname", "hostaddr", "sslmode", "connect_timeout", "options",
    "sslrootcert", "sslkey", "sslcrl", "sslcrldir", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "gssencmode",
    "krbsrvname", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "target_session_attrs", "requirepeer",
  ]

  init(_ given: [String: String]) throws(Failure) {
    for (name, value) in given where Self.passed.contains(name) { libpq[name] = value }
    try Self.refuseSlips(given.keys)
    schema = given["schema"]
    namesPooler = given["pgbouncer"] == "true"
    if given["sslidentity"] != nil {
      throw ConnectionURL.bad(
        "sslidentity is a PKCS#12 file, which libpq cannot read",
        "convert it (openssl pkcs12) and give sslcert and sslkey")
    }
    if let binding = given["channel_binding"], ["disable", "prefer", "require"].contains(binding) {
      libpq["channel_binding"] = binding
    }
    // As libpq takes JDBC's.
    if given["ssl"] == "true", given["sslmode"] ?? "" == "" { libpq["sslmode"] = "require" }
    guard ["strict", "accept_invalid_certs", "", nil].contains(given["sslaccept"]) else {
      throw ConnectionURL.bad("its sslaccept is none of Prisma's", "write strict or accept_invalid_certs")
    }
    if given["connect_timeout"] == "0" { libpq["connect_timeout"] = "0" }
    takeCertificates(given)
  }

  /// They decide who the server is, and what goes over the wire.
  private static let guarding = [
    "sslmode", "sslrootcert", "sslcrl", "ssl_min_protocol_version", "gssencmode", "channel_binding", "requirepeer",
    "target_session_attrs", "sslaccept",
  ]

  /// What is nearly one of them was meant to be it. Not libpq's and Prisma's own, such as `sslcertmode`.
  private static func refuseSlips(_ names: some Sequence<String>) throws(Failure) {
    let known = libpqKeywords().union(["sslaccept", "sslidentity"])
    for name in names.sorted() where !known.contains(name) {
      guard let meant = nearest(to: name, among: guarding) else { continue }
      throw ConnectionURL.bad(
        "one of its parameters is nearly \(meant), and would be ignored", "did you mean \(meant)?")
    }
  }

  private static func libpqKeywords() -> Set<String> {
    guard let options = PQconndefaults() else { return [] }
    defer { PQconninfoFree(options) }
    var keywords: Set<String> = []
    var option = options
    while let keyword = option.pointee.keyword {
      keywords.insert(String(cString: keyword))
      option += 1
    }
    return keywords
  }

  /// Prisma's `sslcert` is the authority's certificate unless a key comes with it, as libpq users write it.
  private mutating func takeCertificates(_ given: [String: String]) {
    if given["sslkey"] != nil {
      libpq["sslcert"] = given["sslcert"]
    } else if let authority = given["sslcert"], given["sslaccept"] == "strict" {
      libpq["sslrootcert"] = authority
    }
    if given["sslaccept"] == "strict" { libpq["sslmode"] = "verify-full" }
  }
}
