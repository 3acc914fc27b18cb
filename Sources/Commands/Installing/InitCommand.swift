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
    let prisma = PrismaProject.find()
    let found = try DatabaseVariable.find(environment: context.environment, prisma)
    let target = try ConnectionURL.parse(found.url)
    let name = context.invocation.value("name") ?? policyName(target.database)
    guard PolicyName.isSafe(name) else {
      throw CommandTable.holdfast.usageFailure(
        command: "init", what: "--name", why: "\(name) cannot be the name of a folder: \(PolicyName.rule)")
    }
    let others = policies(of: target)
    let file = NewPolicyFile(folder: context.policiesFolder.path, name: name, umask: context.umask)
    try file.prepare()
    let repository = try repository(beside: file.path)
    try file.write(
      PolicyTemplate.text(
        environment: context.invocation.value("environment") ?? "development", databaseURLVariable: found.variable,
        repository: Self.repository, repositoryID: repository.id, migrations: migrationsPath(prisma)))
    let policy = try context.policiesFolder.load(name, reader: readerKnowing(found))
    context.note(policy, outcome: "done", subject: name)

    let check = try CheckCommand(context: context).check(policy)
    // What does not work now is not to be pasted.
    let next = try nextCommands(name, isReady: check.exit == .done)
    let json: JSONValue = [
      "policy": .string(name), "file": .string(file.path), "repository": .string(policy.repository),
      "prisma_migrations": .optional(prisma?.migrations), "check": check.document,
      "next": .strings(next),
    ]
    warn(found, others: others, name)
    var lines = [
      "\(found.variable) comes from \(found.origin): database \(target.database) on \(target.endpoint)",
      "policy      \(file.path)",
      "repository  \(policy.repository) (its .gitignore hides it from git; nothing is ever removed until retention is set)",
    ]
    if let prisma { lines.append("prisma      migrations in \(prisma.migrations)") }
    let heading = check.exit == .done ? "next" : "next, when that is fixed"
    let text = Screen(lines + [""]) + check.text + Screen(["", "\(heading):"] + next.map { "  \($0)" })
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

  // MARK: The database

  /// - Parameter others: policies that were there before, of the same database.
  private func warn(_ found: DatabaseVariable, others: [String], _ name: String) {
    for file in found.othersMean {
      context.console.say(
        "warning: \(file) has another \(found.variable): when the variable is not set, the policy uses the URL in \(file). "
          + "For several databases, give each policy a variable of its own")
    }
    guard let other = others.first else { return }
    context.console.say(
      "warning: policy \(other) is of the same database already; with two policies every command needs a name. "
        + "If \(name) is not wanted, remove its file")
  }

  private func policies(of target: ConnectionTarget) -> [String] {
    ((try? context.policiesFolder.names()) ?? []).filter { name in
      guard let other = try? context.policiesFolder.load(name, reader: context.reader).target else { return false }
      return other.database == target.database && other.endpoint == target.endpoint
    }
  }

  private func readerKnowing(_ found: DatabaseVariable) -> PolicyReader {
    PolicyReader(
      environment: context.environment.merging([found.variable: found.url.reveal()]) { own, _ in own },
      parseURL: ConnectionURL.parse)
  }

  // MARK: The policy

  private static let repository = "../backups"

  private func repository(beside file: String) throws(Failure) -> Repository {
    let path = PolicyPath.absolute(Self.repository, besideFile: file)
    if let made = try Repository.create(path) { return made }
    return try Repository.open(path)
  }

  /// The database's name, as far as a folder may be called so.
  private func policyName(_ database: String) -> String {
    let allowed = database.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }
    // With `_copy` it still is a name that PostgreSQL takes.
    let name = String(allowed.prefix(58))
    return name.isEmpty || name.hasPrefix(".") || name.hasPrefix("-") ? "app" : name
  }

  /// As the policy's folder sees it.
  private func migrationsPath(_ project: PrismaProject?) -> String? {
    guard let project else { return nil }
    let inside = context.policiesFolder.path == "policies"
    return inside ? "../\(project.migrations)" : URL(fileURLWithPath: project.migrations).standardizedFileURL.path
  }
}
