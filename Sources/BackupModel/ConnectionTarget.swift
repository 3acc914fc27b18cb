import Diagnostics

/// Where to connect: libpq's parameters without the password, and the password.
package struct ConnectionTarget: Sendable, Equatable {
  /// Keywords of libpq (`host`, `port`, `user`, `dbname`, `sslmode`, …). Never `password`.
  package var parameters: [String: String]
  package var password: Secret?
  /// Prisma's `?schema=`: where its history lives.
  package var schema: String?
  /// The URL says `pgbouncer=true`.
  package var namesPooler: Bool
  /// Keywords that the URL gives; the others are by default.
  package var given: Set<String>

  package init(
    parameters: [String: String], password: Secret? = nil, schema: String? = nil, namesPooler: Bool = false,
    given: Set<String> = []
  ) {
    self.parameters = parameters
    self.password = password
    self.schema = schema
    self.namesPooler = namesPooler
    self.given = given
  }

  package var database: String { parameters["dbname"] ?? "postgres" }

  /// `host:port`, or the socket's folder and port: for people.
  package var endpoint: String { "\(parameters["host"] ?? "localhost"):\(parameters["port"] ?? "5432")" }

  /// The same server, another database.
  package func database(_ name: String) -> ConnectionTarget {
    var copy = self
    copy.parameters["dbname"] = name
    return copy
  }
}
