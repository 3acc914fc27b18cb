import BackupModel

/// What `check` says of a census: a line for each kind.
struct CensusFindings {
  let policy: Policy

  func findings(_ census: Census) -> [CheckFinding] {
    let lacking = census.missing.kinds.map { kind in
      let entries = census.missing.of(kind)
      let isAccepted = policy.backup.acceptMissing.contains(kind)
      let text = "a backup lacks \(entries.summaries.joined()): \(entries.first?.why ?? "")"
      return CheckFinding(
        kind: isAccepted ? .warning : .problem,
        text: isAccepted ? "\(text) (accepted by backup.accept_missing)" : text,
        fix: isAccepted ? nil : fix(kind))
    }
    // Passwords have a line of their own.
    let notes = census.notes.filter { $0.kind != CensusKind.rolePasswords.rawValue }
    return lacking
      + notes.kinds.map { kind in
        let entries = notes.of(kind)
        return CheckFinding(
          kind: .fine, text: "no dump has the \(entries.summaries.joined()): \(entries.first?.why ?? "")")
      }
  }

  private func fix(_ kind: String) -> String? {
    let fix = CensusKind(rawValue: kind)?.fix
    guard CensusKind.acceptable.contains(kind) else { return fix }
    return fix.map { "\($0); or, if you can do without: backup.accept_missing: [\(kind)]" }
  }
}
