import BackupModel
import BackupRepository
import CommandSyntax
import Diagnostics
import Foundation
import PolicyFiles
import Workflows

struct ListCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let known = try context.known()
    let (policies, listing, unusable) = (known.policies, known.listing, known.unusable)
    for broken in listing.broken where !context.console.json {
      context.console.say("warning: \(broken.policy)/\(broken.id): \(broken.failure.why)")
    }
    let strays = context.invocation.operand("POLICY") == nil ? try strays(policies) : []
    return CommandResult(
      json: [
        "backups": .array(listing.backups.map(\.json)), "broken": .array(listing.broken.map(\.json)),
        "without_policy": .array(strays.map { ["policy": .string($0.key), "backups": .integer(UInt64($0.value))] }),
      ],
      text: (listing.backups.isEmpty
        ? unusable.isEmpty ? nothing(listing) : .nothing
        : text(listing.backups, severalPolicies: policies.count + unusable.count > 1)) + text(strays),
      failure: unusable.joined)
  }

  private func nothing(_ listing: Listing) -> Screen {
    if listing.broken.contains(where: { !$0.isDamaged }) { return Screen("There is no backup that can be read.") }
    return context.naming(
      Screen("There is no \(listing.broken.isEmpty ? "backup yet" : "usable backup"). Take one: holdfast backup"))
  }

  /// Backups in the same repositories whose policies are not among these, as after one was renamed: nothing here lists or prunes them.
  private func strays(_ policies: [Policy]) throws(Failure) -> [(key: String, value: Int)] {
    var strays: [String: Int] = [:]
    // One folder may go by two names.
    for (path, own) in Dictionary(grouping: policies, by: { realPath($0.repository) }) {
      let counts = try Repository.openIfThere(path)?.backupCounts() ?? [:]
      let known = Set(own.map(\.name)).union(try context.policiesFolder.names())
      strays.merge(counts.filter { !known.contains($0.key) && PolicyName.isSafe($0.key) }) { $0 + $1 }
    }
    return strays.sorted { $0.key < $1.key }
  }

  private func realPath(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }

  private func text(_ strays: [(key: String, value: Int)]) -> Screen {
    guard !strays.isEmpty else { return .nothing }
    let names = strays.map { "\($0.key) (\(counted($0.value, "backup")))" }.joined(separator: ", ")
    return Screen(
      "", "Also there, of policies that are not in \(context.policiesFolder.path): \(names).",
      "They are used and pruned where a policy of that name has its file.")
  }

  private func text(_ backups: [Backup], severalPolicies: Bool) -> Screen {
    let now = context.surroundings.now()
    let ofSeveral = Set(backups.map(Self.place)).count > 1
    var columns = [Column(title: "ID", text: \.id)]
    if severalPolicies { columns.append(Column(title: "policy", text: \.manifest.policy)) }
    if ofSeveral {
      columns.append(Column(title: "database", text: Self.place))
    }
    columns += [
      Column(title: "taken (UTC)") { minuteText($0.manifest.createdAt) },
      Column(title: "age", isRightAligned: true) { ageText($0.manifest.createdAt, now: now) },
      Column(title: "size", isRightAligned: true) { sizeText($0.manifest.storedBytes) },
      Column(title: "held") { $0.hold.map { shortened($0.reason, to: room(severalPolicies || ofSeveral)) } ?? "-" },
      Column(title: "verified", text: \.shortProofText),
    ]
    let places = Set(backups.map(Self.place))
    return Screen(places.count == 1 ? Array(places) : [])
      + Screen.table(
        [columns.map(\.title)] + backups.map { backup in columns.map { $0.text(backup) } },
        rightAligned: Set(columns.indices.filter { columns[$0].isRightAligned }))
  }

  private static func place(_ backup: Backup) -> String {
    "\(backup.manifest.source.database) on \(backup.manifest.source.host)"
  }

  private struct Column {
    var title: String
    var isRightAligned = false
    var text: (Backup) -> String
  }

  /// On a terminal a line has room for so much of a reason; into a pipe goes all of it.
  private func room(_ isNarrow: Bool) -> Int {
    context.console.columns.map { max(isNarrow ? 8 : 15, $0 - 65) } ?? .max
  }

  private func shortened(_ reason: String, to limit: Int) -> String {
    reason.count > limit ? reason.prefix(limit - 1) + "…" : reason
  }
}

struct ShowCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let backup = try context.backup().backup
    return CommandResult(json: ["backup": detailed(backup)], text: text(backup))
  }

  /// The contract's object, and the rest of what the manifest tells.
  private func detailed(_ backup: Backup) -> JSONValue {
    guard case .object(let members) = backup.json else { return backup.json }
    let manifest = backup.manifest
    let more: [JSONValue.Member] = [
      JSONValue.Member(key: "environment", value: .string(manifest.environment)),
      JSONValue.Member(key: "compression", value: .string(manifest.compression)),
      JSONValue.Member(key: "raw_bytes", value: .integer(manifest.rawBytes)),
      JSONValue.Member(key: "hold", value: backup.hold?.json ?? .null),
      JSONValue.Member(key: "server_version", value: .string(manifest.source.serverVersion)),
      JSONValue.Member(key: "pg_current_snapshot", value: .string(manifest.snapshot.pgCurrentSnapshot)),
      JSONValue.Member(key: "wal_lsn", value: .string(manifest.snapshot.walLsn)),
      JSONValue.Member(key: "rows", value: .integer(manifest.digests.rows)),
      JSONValue.Member(key: "tables", value: .integer(UInt64(manifest.digests.tables.count))),
      JSONValue.Member(key: "exclude_table_data", value: .strings(manifest.excludeTableData)),
      JSONValue.Member(key: "notes", value: manifest.notes.map { .array($0.map(\.json)) } ?? .null),
      JSONValue.Member(key: "table_names", value: .strings(manifest.tableNames)),
    ]
    return .object(members + more)
  }

  private func text(_ backup: Backup) -> Screen {
    let manifest = backup.manifest
    let now = context.surroundings.now()
    let digests = manifest.digests
    var rows = [
      ["backup", backup.id],
      ["state", backup.state == .complete ? "intact" : "DAMAGED: not used, not counted"],
      ["policy", "\(manifest.policy) (\(manifest.environment)), reason: \(manifest.reason)"],
      ["taken", "\(minuteText(manifest.createdAt)) UTC, \(ageText(manifest.createdAt, now: now)) ago"],
      ["verified", backup.proofText(now: now)],
      ["held", backup.hold?.text ?? "no"],
      [
        "database",
        "\(manifest.source.database) on \(manifest.source.host), PostgreSQL \(manifest.source.serverVersion)",
      ],
      [
        "content",
        [
          counted(digests.tables.count, "table"), counted(digests.rows, "row"),
          counted(digests.sequences.count, "sequence"),
          counted(digests.largeObjects.count, "large object"),
        ].joined(separator: ", "),
      ],
      [
        "size",
        "\(sizeText(manifest.storedBytes)) stored (\(manifest.format), \(manifest.compression)), \(sizeText(manifest.rawBytes)) raw",
      ],
    ]
    if let lack = manifest.lackText { rows.append(["lacks rows", lack]) }
    rows += completeness(manifest)
    rows += [
      ["snapshot", "\(manifest.snapshot.pgCurrentSnapshot), WAL \(manifest.snapshot.walLsn)"],
      ["path", backup.path],
    ]
    if backup.state == .damaged { rows += (backup.verification?.problems ?? []).map { ["", $0.sentence] } }
    let tables = largest(manifest)
    return Screen.table(rows)
      + (tables.isEmpty ? .nothing : Screen("", "largest tables") + Screen.table(tables, rightAligned: [1, 2]))
  }

  private func completeness(_ manifest: Manifest) -> [[String]] {
    guard let complete = manifest.complete else {
      return [["complete", "not known: the version that took it did not look"]]
    }
    let missing = manifest.missing ?? []
    let lines = missing.kinds.map { kind in
      let entries = missing.of(kind)
      return ["", "\(entries.summaries.joined()): \(entries.first?.why ?? "")"]
    }
    return [["complete", complete ? "yes: it has what the catalogs had" : "NO: it lacks"]] + lines
      + (manifest.notes ?? []).summaries.map { ["is in no dump", $0] }
  }

  private func largest(_ manifest: Manifest) -> [[String]] {
    let rows = Dictionary(manifest.digests.tables.map { ($0.qualifiedName, $0.rows) }) { first, _ in first }
    return manifest.files.filter { $0.table != nil }.sorted { ($0.rawBytes ?? 0) > ($1.rawBytes ?? 0) }.prefix(8).map {
      [
        "  \(manifest.nameEncoding.shown($0.table ?? ""))", counted(rows[$0.table ?? ""] ?? 0, "row"),
        sizeText($0.rawBytes ?? $0.bytes),
      ]
    }
  }
}
