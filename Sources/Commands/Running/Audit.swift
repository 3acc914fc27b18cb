import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

extension CommandContext {
  /// Runs a command that changes something, and writes down what became of it.
  ///
  /// - Parameter subject: what it was about, from its result.
  func audited(
    _ policy: Policy, _ body: () throws(Failure) -> CommandResult, subject: (CommandResult) -> String?
  ) throws(Failure) -> CommandResult {
    do throws(Failure) {
      let result = try body()
      note(policy, outcome: result.failure?.code ?? "done", subject: subject(result))
      return result
    } catch {
      note(policy, outcome: error.code, subject: invocation.operand("ID") ?? invocation.operand("NAME"))
      throw error
    }
  }

  /// What was done is done: an audit line that cannot be written is a warning, not a failure.
  func note(_ policy: Policy, outcome: String, subject: String?) {
    do throws(Failure) {
      let repository = try Repository.open(policy.repository)
      try AuditTrail(repository).append(
        AuditTrail.Entry(
          at: surroundings.now(), who: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)",
          command: invocation.command, policy: policy.name,
          database: "\(policy.target.database) on \(policy.target.endpoint)",
          outcome: outcome, subject: subject))
    } catch {
      guard error.code != "no_repository" else { return }
      console.say("warning: the audit line could not be written: \(error.why)")
    }
  }
}

extension CommandResult {
  /// A text in the result's JSON, by its keys.
  func text(at keys: String...) -> String? {
    var value = JSONValue.object(json)
    for key in keys {
      guard case .object(let members) = value, let member = members.first(where: { $0.key == key }) else { return nil }
      value = member.value
    }
    return if case .string(let text) = value { text } else { nil }
  }
}
