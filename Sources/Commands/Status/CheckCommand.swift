import BackupModel
import CommandSyntax
import Diagnostics
import Foundation
import PolicyFiles
import Workflows

struct CheckCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let wait = try waitingTime()
    return try context.forEachPolicy { (policy) throws(Failure) in try check(policy, wait: wait) }
  }

  func check(_ policy: Policy, wait: Duration? = nil) throws(Failure) -> CommandResult {
    let findings = try CheckPolicy(
      policy: policy, surroundings: context.surroundings, wait: wait, isDeep: context.invocation.flag("deep")
    ).run()
    let problems = findings.filter { $0.kind == .problem }
    return CommandResult(
      json: [
        "policy": .string(policy.name), "ok": .bool(problems.isEmpty), "problems": .array(problems.map(json)),
        "warnings": .array(findings.filter { $0.kind == .warning }.map(json)),
        "in_order": .array(findings.filter { $0.kind == .fine }.map { .string($0.text) }),
      ],
      text: text(policy, findings), exit: problems.isEmpty ? .done : .attention)
  }

  private func waitingTime() throws(Failure) -> Duration? {
    guard let text = context.invocation.value("wait") else { return nil }
    guard let duration = parseDuration(text) else {
      throw CommandTable.holdfast.usageFailure(
        command: "check", what: "--wait", why: "'\(text)' is no duration; write 60s, 5m or 1h")
    }
    return duration
  }

  private func json(_ finding: CheckFinding) -> JSONValue {
    ["problem": .string(finding.text), "fix": .optional(finding.fix.map(context.naming))]
  }

  /// Problems first, each with what to do about it.
  private func text(_ policy: Policy, _ findings: [CheckFinding]) -> Screen {
    let problems = findings.filter { $0.kind == .problem }
    let fine = findings.filter { $0.kind == .fine }
    let warnings = findings.count { $0.kind == .warning }
    let passed = "\(counted(fine.count, "check")) passed" + (warnings > 0 ? ", \(counted(warnings, "warning"))" : "")
    var lines = [
      "\(policy.name) (\(policy.environment)): "
        + (problems.isEmpty ? "OK: \(passed)" : "\(counted(problems.count, "problem")); \(passed)")
    ]
    for (sign, kind) in [("✗", CheckFinding.Kind.problem), ("!", .warning)] {
      for finding in findings where finding.kind == kind {
        lines.append("  \(sign) \(finding.text)")
        if let fix = finding.fix { lines.append("      → \(fix)") }
      }
    }
    return Screen(lines + fine.map { "  ✓ \($0.text)" })
  }
}
