import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import Planning
import PostgresTools

/// The workflow of `holdfast check`: everything that would make a backup or a restore fail, in one list.
package struct CheckPolicy {
  private let policy: Policy
  private let surroundings: Surroundings
  /// How long to wait for the server to come up.
  private let wait: Duration?
  /// Whether to try the way back, too.
  private let isDeep: Bool

  package init(policy: Policy, surroundings: Surroundings, wait: Duration?, isDeep: Bool = false) {
    self.policy = policy
    self.surroundings = surroundings
    self.wait = wait
    self.isDeep = isDeep
  }

  /// - Throws: only `Failure.stopped`; everything else is a finding.
  package func run() throws(Failure) -> [CheckFinding] {
    var findings: [CheckFinding] = []
    try collect(into: &findings) { () throws(Failure) in
      let jobs = jobCount(wanted: policy.jobs, cores: surroundings.cores, free: nil)
      return try RepositoryCheck(policy: policy, jobs: jobs, now: surroundings.now()).findings()
    }
    findings += migrationsFindings()
    var session: Session?
    try collect(into: &findings) { () throws(Failure) in
      let opened = try connect()
      session = opened
      return []
    }
    if let session {
      try collect(into: &findings) { () throws(Failure) in try serverFindings(session) }
    } else {
      try collect(into: &findings) { () throws(Failure) in try toolFindings(serverMajor: 0) }
    }
    return findings
  }

  /// A failure of one check is a finding too, and the others go on.
  private func collect(
    into findings: inout [CheckFinding], _ check: () throws(Failure) -> [CheckFinding]
  ) throws(Failure) {
    do throws(Failure) { findings += try check() } catch {
      try surroundings.cancellation.check()
      let details = error.details.filter { $0 != error.why }
      let text = (["\(error.what): \(error.why)"] + details).joined(separator: "; ")
      findings.append(CheckFinding(kind: .problem, text: text, fix: error.nextStep))
    }
  }

  /// A new project has no folder yet; it keeps no backup from being taken.
  private func migrationsFindings() -> [CheckFinding] {
    guard let directory = policy.migrations.directory else { return [] }
    do throws(Failure) {
      let migrations = try MigrationBooks.folder(of: policy).migrations
      let count = CheckFinding(kind: .fine, text: "\(counted(migrations.count, "migration")) in \(directory)")
      // One such folder stops a deploy, and the others are of its kind.
      guard let empty = migrations.first(where: { $0.text == nil }) else { return [count] }
      return [
        count,
        CheckFinding(
          kind: .warning, text: "migration \(empty.name) has no migration.sql; holdfast deploy will refuse",
          fix: "restore the file, or delete the folder \(empty.name)"),
      ]
    } catch {
      return [
        CheckFinding(kind: .warning, text: "\(error.why); holdfast deploy will refuse", fix: error.nextStep)
      ]
    }
  }

  private func connect() throws(Failure) -> Session {
    let target = policy.target
    guard let wait else { return try surroundings.connector.connect(target, purpose: "check") }
    let limit = Int(wait.seconds.rounded(.up))
    return try surroundings.connector.connect(
      target, purpose: "check", waitingAtMost: wait,
      onWait: { surroundings.reporter.headline("waiting for \(target.endpoint) (up to \(limit) s)") })
  }

  // MARK: Server

  private func serverFindings(_ session: Session) throws(Failure) -> [CheckFinding] {
    var findings: [CheckFinding] = []
    let reader = ServerReader(session)
    let facts = try reader.facts()
    findings += placeFindings(facts, session.target)
    try collect(into: &findings) { () throws(Failure) in try knownFindings(facts, session.target) }
    try collect(into: &findings) { () throws(Failure) in try toolFindings(serverMajor: facts.major) }
    try collect(into: &findings) { () throws(Failure) in try privilegeFindings(session, facts) }
    try collect(into: &findings) { () throws(Failure) in try connectionFindings(session) }
    try collect(into: &findings) { () throws(Failure) in try restoreFindings(session, reader, facts) }
    findings += try maintenanceFindings(session.target)
    try addExclusions(to: &findings, session)
    try collect(into: &findings) { () throws(Failure) in try censusFindings(session, facts) }
    // At the end, since it changes settings of the session.
    try collect(into: &findings) { () throws(Failure) in try baselineFindings(session, facts) }
    return findings
  }

  /// A deploy is refused on another database than that of the earlier backups.
  private func knownFindings(_ facts: ServerFacts, _ target: ConnectionTarget) throws(Failure) -> [CheckFinding] {
    guard let repository = try? Repository.open(policy.repository) else { return [] }
    let change = KnownDatabase(try repository.listing(of: policy.name), policy: policy.name)
      .change(to: target, systemIdentifier: facts.systemIdentifier)
    return change.map { [CheckFinding(kind: .problem, text: $0.why, fix: $0.nextStep)] } ?? []
  }

  /// A database that has tables and no migration history: a deploy wants to know first what it has.
  private func baselineFindings(_ session: Session, _ facts: ServerFacts) throws(Failure) -> [CheckFinding] {
    // A pooler's session is not ours to change.
    guard policy.migrations.directory != nil, !facts.pooled, let folder = try? MigrationBooks.folder(of: policy)
    else { return [] }
    let needed = try HistoryTable(session, schema: session.target.schema).baselineNeeded(for: folder)
    return needed.map {
      [CheckFinding(kind: .warning, text: "\($0.why); holdfast deploy will refuse", fix: $0.nextStep)]
    } ?? []
  }

  private func placeFindings(_ facts: ServerFacts, _ target: ConnectionTarget) -> [CheckFinding] {
    let (database, endpoint) = (target.database, target.endpoint)
    var findings = [
      CheckFinding(kind: .fine, text: "database \(database) on \(endpoint), PostgreSQL \(facts.version)")
    ]
    let mode = target.parameters["sslmode"] ?? "prefer"
    if !target.isLocal, mode != "verify-full" {
      findings.append(
        CheckFinding(
          kind: .warning, text: "nobody checks who \(endpoint) is: sslmode is \(mode)",
          fix: "sslmode=verify-full in database.url, and sslrootcert=FILE where its certificate is not a public one"))
    }
    let ignored = ConnectionVariables.ignored(surroundings.environment, by: target)
    if !ignored.isEmpty {
      findings.append(
        CheckFinding(
          kind: .warning,
          text:
            "\(ignored.joined(separator: ", ")) of the environment \(ignored.count == 1 ? "has" : "have") no effect: "
            + "database.url alone says where and how to connect",
          fix: "write what \(ignored.count == 1 ? "it says" : "they say") into database.url"))
    }
    let unused = target.given.filter { ["application_name", "client_encoding"].contains($0) }.sorted()
    if !unused.isEmpty {
      findings.append(
        CheckFinding(
          kind: .warning, text: "database.url: \(unused.joined(separator: ", ")) is not used: Holdfast sets its own",
          fix: "nothing has to be done"))
    }
    if let refusal = facts.poolerRefusal(endpoint: endpoint) {
      findings.append(CheckFinding(kind: .problem, text: refusal.why, fix: refusal.nextStep))
    }
    findings.append(
      facts.standby
        ? CheckFinding(
          kind: .warning, text: "the server is a standby: backups can be taken of it, restores cannot be made on it",
          fix: "for restores, a policy with the primary's address")
        : CheckFinding(kind: .fine, text: "the server is a primary"))
    return findings
  }

  private func toolFindings(serverMajor: Int) throws(Failure) -> [CheckFinding] {
    let installed = try Toolbox.installed(demanded: policy.tools, runner: surroundings.runner)
    let chosen = try chooseClient(for: serverMajor, among: installed, demanded: policy.tools.place)
    let toolbox = Toolbox(installation: chosen)
    var findings = [CheckFinding(kind: .fine, text: "PostgreSQL client \(chosen.version) \(chosen.place)")]
    for tool in ["pg_restore", "pg_dumpall", "psql"] where try !toolbox.has(tool, runner: surroundings.runner) {
      findings.append(
        CheckFinding(
          kind: .problem, text: "\(tool) is missing \(chosen.place)",
          fix: "install the whole client package, or set tools.directory"))
    }
    if let floor = chosen.version.floor {
      findings.append(
        CheckFinding(
          kind: .warning, text: "client \(chosen.version) has known security holes in pg_dump and pg_restore",
          fix: "upgrade it to \(floor) or newer"))
    }
    return findings
  }

  private func privilegeFindings(_ session: Session, _ facts: ServerFacts) throws(Failure) -> [CheckFinding] {
    let missing = try PrivilegeAudit(session).findings()
    var findings = missing.map { CheckFinding(kind: .problem, text: $0.problem, fix: $0.fix) }
    if missing.isEmpty {
      findings.append(CheckFinding(kind: .fine, text: "every table, sequence and large object can be read"))
    }
    if policy.backup.globals == .whole {
      findings.append(
        facts.superuser
          ? CheckFinding(
            kind: .fine,
            text:
              "each backup holds the password hashes of all roles; backup.globals: without_passwords leaves them out")
          : CheckFinding(
            kind: .warning, text: "roles are saved without their passwords: only a superuser can read them",
            fix: "set them again after a restore on a new server"))
    }
    return findings + (try OwnerTrust(session, facts, policy).findings())
  }

  /// Whether there is room for the sessions that a backup has at the same time.
  private func connectionFindings(_ session: Session) throws(Failure) -> [CheckFinding] {
    let room = try ConnectionRoom(session, database: session.target.database)
    guard let tightest = room.tightest else { return [] }
    let jobs = jobCount(wanted: policy.jobs, cores: surroundings.cores, free: tightest.free)
    let needed = sessionsOfBackup(jobs: jobs, inParallel: policy.backup.format == .directory)
    let least = sessionsOfBackup(jobs: 1, inParallel: false)
    let text = "a backup takes \(needed) connections, and \(tightest.of) has \(tightest.free) left of \(tightest.limit)"
    guard tightest.free < needed else { return [CheckFinding(kind: .fine, text: text)] }
    return [
      CheckFinding(
        kind: .problem, text: text,
        fix: tightest.free >= least && jobs > 1
          ? "write jobs: \(max(1, tightest.free - least)), or raise that limit"
          : "end sessions that nobody needs, or raise that limit")
    ]
  }

  /// What a backup would lack, and what no dump has.
  private func censusFindings(_ session: Session, _ facts: ServerFacts) throws(Failure) -> [CheckFinding] {
    try session.query("BEGIN READ ONLY")
    defer { _ = session.attempt("ROLLBACK", []) }
    let patterns = policy.backup.excludeTableData
    do throws(Failure) {
      let excluded = patterns.isEmpty ? nil : try ExcludedRows(session, patterns: patterns)
      var census = try TakeCensus(session: session, policy: policy, facts: facts, excluded: excluded).foresee()
      // A backup that is refused has no row of these, and each has its line already.
      if try !PrivilegeAudit(session).findings().isEmpty {
        census.missing.removeAll { [CensusKind.sequence, .rowSecurity].map(\.rawValue).contains($0.kind) }
      }
      return CensusFindings(policy: policy).findings(census)
    } catch {
      // A pattern that is none has its line, too.
      guard error.code == "bad_pattern" else { throw error }
      return []
    }
  }

  /// Databases are made and renamed from another one.
  private func maintenanceFindings(_ target: ConnectionTarget) throws(Failure) -> [CheckFinding] {
    let deploys = policy.migrations.directory != nil
    do throws(Failure) {
      _ = try surroundings.connector.maintenanceSession(of: target, renames: deploys)
      return []
    } catch {
      try surroundings.cancellation.check()
      let text = (["no database to make others from: \(error.why)"] + error.details).joined(separator: "; ")
      return [
        CheckFinding(
          kind: deploys ? .problem : .warning,
          text: text + (deploys ? "; holdfast deploy and rollback will refuse" : "; nothing can be restored"),
          fix: error.nextStep)
      ]
    }
  }

  private func restoreFindings(
    _ session: Session, _ reader: ServerReader, _ facts: ServerFacts
  ) throws(Failure) -> [CheckFinding] {
    let properties = try reader.properties()
    let needs = try reader.needs(owners: [], properties: properties)
    var findings = try reader.missing(of: needs).map { CheckFinding(kind: .problem, text: $0.what, fix: $0.fix) }
    findings += try wayBackFindings(session)
    if isDeep { try collect(into: &findings) { () throws(Failure) in [try trialFinding(session)] } }
    findings.append(CheckFinding(kind: .fine, text: "encoding \(properties.encoding), locale \(properties.collate)"))
    return findings
  }

  private func addExclusions(to findings: inout [CheckFinding], _ session: Session) throws(Failure) {
    func looking(_ look: () throws(Failure) -> [CheckFinding]) throws(Failure) {
      try collect(into: &findings) { () throws(Failure) in
        try session.query("BEGIN READ ONLY")
        defer { _ = session.attempt("ROLLBACK", []) }
        return try look()
      }
    }
    var matches: [PatternMatch] = []
    for pattern in policy.backup.excludeTableData {
      try looking { () throws(Failure) in
        let match = try PatternMatch(pattern, session)
        matches.append(match)
        return [finding(match)]
      }
    }
    guard !matches.isEmpty else { return }
    try looking { () throws(Failure) in
      let excluded = ExcludedRows(session, matches)
      let references = try excluded.references().filter(\.hasRows)
      let problems =
        try excluded.unfillableViews() + references.filter { !$0.isUncertain }.map(excluded.refusal(of:))
      let doubts =
        references.filter(\.isUncertain).map {
          "rows of \($0.from.joined(separator: ".")) may refer to rows of \($0.to.joined(separator: ".")), which are left out"
        }
        + (try excluded.poorerViews().map {
          "\($0) is filled again after a restore, from \($1), which has no rows then"
        })
      return Self.capped(
        problems.map { CheckFinding(kind: .problem, text: "\($0.what): \($0.why)", fix: $0.nextStep) }, "problems")
        + Self.capped(
          doubts.map {
            CheckFinding(
              kind: .warning, text: $0, fix: "restore once to see that it can be: holdfast restore latest --into NAME")
          }, "doubts")
    }
  }

  /// Of partitions there may be any number.
  private static func capped(_ findings: [CheckFinding], _ noun: String) -> [CheckFinding] {
    guard findings.count > 20, var last = findings.last else { return findings }
    last.text = "and \(findings.count - 19) more \(noun) like these"
    last.fix = nil
    return findings.prefix(19) + [last]
  }

  private func finding(_ match: PatternMatch) -> CheckFinding {
    match.leavesOut.map {
      CheckFinding(kind: .fine, text: "exclude_table_data \(match.pattern): \($0) saved without rows")
    }
      ?? CheckFinding(
        kind: .warning, text: "exclude_table_data \(match.pattern): it \(match.emptiness.why)",
        fix: match.emptiness.fix)
  }

  private func trialFinding(_ session: Session) throws(Failure) -> CheckFinding {
    let proof = try WayBackTrial(policy, target: session.target, surroundings: surroundings).run(session)
    return CheckFinding(
      kind: .fine,
      text:
        "the way back was tried: \(counted(proof.statements, "statement")) of the schema restored, compared, dropped")
  }

  /// Warnings, as a role for backups alone is a good one.
  private func wayBackFindings(_ session: Session) throws(Failure) -> [CheckFinding] {
    let deploys = policy.migrations.directory != nil
    let database = session.target.database
    let needs = try WayBack.needs(of: database, session)
    let role = needs.role
    var findings: [CheckFinding] = []
    func add(_ text: String, _ need: MissingPrivilege) {
      let text = deploys ? "\(text); holdfast deploy and rollback will refuse" : text
      findings.append(CheckFinding(kind: .warning, text: text, fix: need.fix))
    }
    if let need = needs.toCreate { add("role \(role) may not create databases: it can back up, but not restore", need) }
    guard deploys else { return findings }
    if let need = needs.toRename { add("role \(role) does not own \(database)", need) }
    for need in try WayBack.unrestorable(session) {
      findings.append(
        CheckFinding(
          kind: .warning,
          text:
            "role \(role) seems to lack a privilege \(need.problem): holdfast check --deep tries what a rollback does",
          fix: need.fix))
    }
    let others = try UnstoppableSessions(on: database, session)
    if !others.isEmpty {
      findings.append(
        CheckFinding(
          kind: .warning,
          text: "role \(role) may not end the sessions of \(others.all.joined(separator: ", ")): "
            + "no rollback is begun while they are connected", fix: others.remedies.joined(separator: "; ")))
    }
    return findings
  }
}
