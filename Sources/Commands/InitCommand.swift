import BackupModel
import BackupRepository
import CommandSyntax
import Diagnostics
import Foundation
import PolicyFiles
import PostgresTools

/// `holdfast init`: a policy and a repository for the database that the project in the current folder uses.
struct InitCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let found = try databaseURL()
    let target = try ConnectionURL.parse(found.url)
    let name = context.invocation.value("name") ?? policyName(target.database)
    guard PolicyName.isSafe(name) else {
      throw CommandTable.holdfast.usageFailure(
        command: "init", what: "--name", why: "\(oneLine(name)) cannot be the name of a folder: \(PolicyName.rule)")
    }
    let file = try writePolicy(name)
    let policy = try context.policiesFolder.load(name, reader: readerKnowing(found.url))
    _ = try Repository.openOrCreate(policy.repository)
    let hidden = try hideFromGit(policy.repository) ? " (hidden from git by a .gitignore)" : ""

    let check = try CheckCommand(context: context).check(policy)
    let prisma = PrismaProject.find()
    // What does not work now is not to be pasted.
    let next = try nextCommands(name, isReady: check.exit == .done)
    let json: JSONValue = [
      "policy": .string(name), "file": .string(file), "repository": .string(policy.repository),
      "prisma_migrations": .optional(prisma?.migrations), "check": check.document,
      "next": .strings(next),
    ]
    warnOfAnother(than: found.url)
    var lines = [
      "DATABASE_URL comes from \(found.origin): database \(target.database) on \(target.endpoint)",
      "policy      \(file)", "repository  \(policy.repository)\(hidden)",
    ]
    if let prisma { lines.append("prisma      migrations in \(prisma.migrations)") }
    let heading = check.exit == .done ? "next" : "next, when that is mended"
    let text =
      lines.joined(separator: "\n") + "\n\n" + check.text + "\n\(heading):\n" + next.map { "  \($0)\n" }.joined()
    return CommandResult(json: json, text: text, exit: check.exit)
  }

  /// Commands that work when they are pasted into the same shell.
  private func nextCommands(_ name: String, isReady: Bool) throws(Failure) -> [String] {
    let folder = context.policiesFolder.path
    let policies = folder == "policies" ? "" : " --policies \(shellWord(folder))"
    let policy = try context.policiesFolder.names() == [name] ? "" : " --policy \(name)"
    guard isReady else { return ["holdfast check \(name)\(policies)"] }
    return ["backup \(name)", "list", "restore latest\(policy) --into \(name)_copy"].map { "holdfast \($0)\(policies)" }
  }

  private func shellWord(_ text: String) -> String {
    text.wholeMatch(of: /[A-Za-z0-9_.\/-]+/) == nil ? "'" + text.replacing("'", with: "'\\''") + "'" : text
  }

  // MARK: The database

  private func databaseURL() throws(Failure) -> (url: Secret, origin: String) {
    if let url = context.environment["DATABASE_URL"], !url.isEmpty { return (Secret(url), "the environment") }
    for path in CommandContext.environmentFiles {
      if let url = EnvironmentFile(path: path).variables["DATABASE_URL"], !url.isEmpty { return (Secret(url), path) }
    }
    throw Failure(
      "no_database_url", exit: .configuration, what: "init",
      why: "there is no DATABASE_URL in the environment, in .env or in prisma/.env",
      nextStep: "export DATABASE_URL=postgresql://user:password@host:5432/database, then run holdfast init again")
  }

  /// Where the variable is not set, the policy means what the file says.
  private func warnOfAnother(than url: Secret) {
    let urls = CommandContext.environmentFiles.map { ($0, EnvironmentFile(path: $0).variables["DATABASE_URL"]) }
    guard let (file, other) = urls.first(where: { $0.1?.isEmpty == false }), let other, other != url.reveal() else {
      return
    }
    context.console.say(
      "warning: \(file) has another DATABASE_URL: without the variable of now, the policy is of that one. "
        + "For several databases, give each policy a variable of its own")
  }

  private func readerKnowing(_ url: Secret) -> PolicyReader {
    PolicyReader(environment: context.environment.merging(["DATABASE_URL": url.reveal()]) { own, _ in own })
  }

  // MARK: The policy

  /// The database's name, as far as a folder may be called so.
  private func policyName(_ database: String) -> String {
    let allowed = database.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }
    // With `_copy` it still is a name that PostgreSQL takes.
    let name = String(allowed.prefix(58))
    return name.isEmpty || name.hasPrefix(".") || name.hasPrefix("-") ? "app" : name
  }

  /// - Returns: the file's path.
  private func writePolicy(_ name: String) throws(Failure) -> String {
    let folder = context.policiesFolder.path
    let file = "\(folder)/\(name).yaml"
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw cannotWrite(folder, "the folder cannot be made: \(String(cString: strerror(errno)))")
    }
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw errno == EEXIST ? existing(file, name) : cannotWrite(file, String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    let text = PolicyTemplate.text(
      environment: context.invocation.value("environment") ?? "development", databaseURLVariable: "DATABASE_URL",
      repository: "../backups", migrations: migrationsPath())
    let bytes = Array(text.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
      unlink(file)
      throw cannotWrite(file, String(cString: strerror(errno)))
    }
    return file
  }

  /// As the policy's folder sees it.
  private func migrationsPath() -> String? {
    guard let project = PrismaProject.find() else { return nil }
    let inside = context.policiesFolder.path == "policies"
    return inside ? "../\(project.migrations)" : URL(fileURLWithPath: project.migrations).standardizedFileURL.path
  }

  private func existing(_ file: String, _ name: String) -> Failure {
    var failure = cannotWrite(file, "it exists already")
    failure.nextStep = "to go on with it: holdfast check \(name); for another one choose another name with --name"
    return failure
  }

  /// A backup holds everything that the database does: `git add .` must not take it along.
  ///
  /// - Returns: whether the repository is within a work tree of git.
  private func hideFromGit(_ repository: String) throws(Failure) -> Bool {
    var folder = URL(fileURLWithPath: repository).standardizedFileURL
    while access(folder.appendingPathComponent(".git").path, F_OK) != 0 {
      guard folder.path != "/" else { return false }
      folder.deleteLastPathComponent()
    }
    let file = "\(repository)/.gitignore"
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      if errno == EEXIST { return true }
      throw cannotWrite(file, String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    _ = write(descriptor, "*\n", 2)
    return true
  }

  private func cannotWrite(_ path: String, _ why: String) -> Failure {
    Failure(
      "cannot_write", exit: .cannotWrite, what: "writing \(path)", why: why,
      nextStep: "choose another name with --name, or another folder with --policies")
  }
}

/// A Prisma project in the current folder.
struct PrismaProject {
  var migrations: String

  static func find() -> PrismaProject? {
    for schema in ["prisma/schema.prisma", "schema.prisma", "prisma/schema"] where access(schema, F_OK) == 0 {
      let folder = schema == "schema.prisma" ? "" : "prisma/"
      return PrismaProject(migrations: folder + "migrations")
    }
    return nil
  }
}
