import Diagnostics
import Foundation
import PolicyFiles

/// The variable that names the database of the project in the current folder.
struct DatabaseVariable {
  var variable: String
  var url: Secret
  /// Where its value stands.
  var origin: String
  /// Files of the project that give the variable another value.
  var othersMean: [String]

  /// DATABASE_URL; or, where it goes through a pooler, what Prisma's migrations use: `directUrl`, which is DIRECT_URL mostly.
  ///
  /// - Throws: `no_database_url`.
  static func find(environment: [String: String], _ prisma: PrismaProject?) throws(Failure) -> DatabaseVariable {
    let files = CommandContext.environmentFiles.map { ($0, EnvironmentFile(path: $0).variables) }
    let places = [("the environment", environment)] + files
    let names = [prisma?.urlVariable.flatMap { $0 == "DATABASE_URL" ? nil : $0 }, "DATABASE_URL"].compactMap { $0 }
    for (origin, variables) in places {
      guard let name = names.first(where: { variables[$0]?.isEmpty == false }) else { continue }
      // From the same place: a direct URL that was left over from elsewhere may be of another database.
      let direct = [prisma?.directURLVariable, "DIRECT_URL"].compactMap { $0 }
        .first { variables[$0]?.isEmpty == false }
      let variable = direct ?? name
      let url = variables[variable] ?? ""
      // An empty one would hide this one from every later command.
      if let empty = places.prefix(while: { $0.0 != origin }).first(where: { $0.1[variable] == "" }) {
        throw isEmpty(variable, in: empty.0)
      }
      let others = files.filter { $0.0 != origin }.filter { ($0.1[variable] ?? "").isEmpty == false }
        .filter { $0.1[variable] != url }.map(\.0)
      return DatabaseVariable(variable: variable, url: Secret(url), origin: origin, othersMean: others)
    }
    for (origin, variables) in places {
      if let name = names.first(where: { variables[$0] == "" }) { throw isEmpty(name, in: origin) }
    }
    throw Failure(
      "no_database_url", exit: .configuration, what: "init",
      why: "there is no \(names.joined(separator: " or ")) in the environment, in .env or in prisma/.env"
        + CommandContext.environmentFiles.compactMap { EnvironmentFile(path: $0).problem.map { "; \($0)" } }.joined(),
      nextStep: "export DATABASE_URL=postgresql://user:password@host:5432/database, then run holdfast init again")
  }
}

extension DatabaseVariable {
  private static func isEmpty(_ variable: String, in origin: String) -> Failure {
    let remedy = origin == "the environment" ? "unset \(variable)" : "remove it from \(origin)"
    return Failure(
      "no_database_url", exit: .configuration, what: "init", why: "\(variable) is set in \(origin), and empty",
      nextStep: "\(remedy), or give it a value; then run holdfast init again")
  }
}

/// A Prisma project in the current folder.
struct PrismaProject {
  var migrations: String
  /// What the schema's `url` and `directUrl` are read from.
  var urlVariable: String?
  var directURLVariable: String?

  static func find() -> PrismaProject? {
    for schema in ["prisma/schema.prisma", "schema.prisma", "prisma/schema"] where access(schema, F_OK) == 0 {
      let folder = schema == "schema.prisma" ? "" : "prisma/"
      let text = FileManager.default.contents(atPath: schema).map { String(decoding: $0, as: UTF8.self) } ?? ""
      func variable(_ key: String) -> String? {
        text.split(whereSeparator: \.isNewline).lazy
          .compactMap { $0.wholeMatch(of: /\s*([A-Za-z]+)\s*=\s*env\("([A-Za-z0-9_]+)"\).*/) }
          .first { $0.1 == key }.map { String($0.2) }
      }
      return PrismaProject(
        migrations: folder + "migrations", urlVariable: variable("url"), directURLVariable: variable("directUrl"))
    }
    // Where somebody else writes the schema: Prisma's command made the file, which nothing else has.
    return ["prisma/migrations", "migrations"].first { access("\($0)/migration_lock.toml", F_OK) == 0 }
      .map { PrismaProject(migrations: $0) }
  }
}
