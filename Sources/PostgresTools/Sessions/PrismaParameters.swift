import CLibPQ
import Diagnostics
import Foundation

/// Prisma's connection parameters as libpq's. What neither knows is refused: whoever wrote it relies on it.
struct PrismaParameters {
  private(set) var libpq: [String: String] = [:]
  private(set) var schema: String?
  private(set) var namesPooler = false

  /// Of Prisma's client and its pool: nothing of them is for a session of ours. The last three are tags of vendors and other drivers,
  /// which change nothing about where and how to connect.
  private static let withoutEffect: Set<String> = [
    "connection_limit", "pool_timeout", "socket_timeout", "max_connection_lifetime", "max_idle_connection_lifetime",
    "statement_cache_size", "single_use_connections", "uselibpqcompat", "supa", "workaround",
  ]
  private static let translated: Set<String> = ["schema", "pgbouncer", "ssl", "sslaccept", "sslidentity", "sslcert"]

  init(_ given: [String: String]) throws(Failure) {
    let keywords = ConnectionVariables.keywords
    for (name, value) in given where keywords.contains(name) && !Self.translated.contains(name) { libpq[name] = value }
    try Self.refuseUnknown(given.keys, keywords)
    schema = given["schema"]
    namesPooler = given["pgbouncer"] == "true"
    if given["sslidentity"] != nil {
      throw ConnectionURL.bad(
        "sslidentity is a PKCS#12 file, which libpq cannot read",
        "convert it (openssl pkcs12) and give sslcert and sslkey")
    }
    try check(given, "channel_binding", ["disable", "prefer", "require"])
    try check(given, "sslaccept", ["strict", "accept_invalid_certs"])
    // As libpq takes JDBC's.
    try check(given, "ssl", ["true"])
    if given["ssl"] == "true", given["sslmode"] ?? "" == "" { libpq["sslmode"] = "require" }
    takeCertificates(given)
  }

  private func check(_ given: [String: String], _ name: String, _ words: [String]) throws(Failure) {
    guard let value = given[name], !value.isEmpty, !words.contains(value) else { return }
    throw ConnectionURL.bad(
      "its \(name) is none that can be used", "write \(words.joined(separator: " or ")), or leave it out")
  }

  private static func refuseUnknown(_ names: some Sequence<String>, _ keywords: Set<String>) throws(Failure) {
    let known = keywords.union(translated).union(withoutEffect)
    guard let index = names.sorted().firstIndex(where: { !known.contains($0) }) else { return }
    // Not the name itself: after a password with a bare ? or & it is a part of that.
    let meant = nearest(to: names.sorted()[index], among: known)
    throw ConnectionURL.bad(
      "one of its parameters is neither Prisma's nor libpq's" + (meant.map { ", and nearly \($0)" } ?? ""),
      meant.map { "did you mean \($0)?" }
        ?? "take it out; where another program needs it, give Holdfast a variable of its own")
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
