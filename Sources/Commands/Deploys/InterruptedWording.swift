import BackupModel
import BackupRepository

extension DeployRecord {
  /// What `resume` is about to do, before it is confirmed.
  func resumeText(of policy: Policy) -> Screen {
    switch state {
    case .rollingBack:
      headline(policy, "goes on with the rollback")
        + (rollback?.temporaryName == nil
          ? line("resolves", "\(names) in the history; no data is touched")
          : line("restores", "\(rollback?.backup ?? "") again, unless the names are exchanged already")
            + line("keeps", "\(database) as it is until then, and under another name afterwards"))
    case .undoing:
      headline(policy, "goes on with the undo of the rollback")
        + line("renames", "\(replaced) to \(database)")
        + line("keeps", "the database of now as \(rollback?.temporary ?? "")")
    default: headline(policy, "goes on with the deploy")
    }
  }

  /// What `abandon` is about to do.
  func abandonText(of policy: Policy) -> Screen {
    switch state {
    case .rollingBack:
      headline(policy, "gives up the rollback")
        + line("keeps", "\(database) as it was before the rollback; what was restored beside it goes")
        + line(
          "renames",
          "\(replaced) back to \(database), if the names are exchanged already; what was written since is kept")
    case .undoing:
      headline(policy, "gives up the undo of the rollback")
        + line("keeps", "\(database) as the rollback left it; names that are exchanged already are exchanged back")
    default:
      headline(policy, "gives up the deploy")
        + (applied.isEmpty
          ? .nothing : line("rolls back", "\(applied.joined(separator: ", ")), to snapshot \(backup ?? "none")"))
    }
  }

  /// The database that the rollback replaced, or would have.
  private var replaced: String { rollback?.keptAs ?? "the database before the rollback" }

  private var names: String { rollback?.undoes.joined(separator: ", ") ?? "" }

  private func headline(_ policy: Policy, _ does: String) -> Screen {
    Screen("\(policy.name) (\(policy.environment)): \(does) \(id), begun \(minuteText(rollback?.at ?? startedAt)) UTC")
  }

  private func line(_ word: String, _ text: String) -> Screen { Screen("  \(padded(word, 12))\(text)") }
}
