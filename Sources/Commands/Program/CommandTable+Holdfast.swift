import CommandSyntax
import Workflows

extension CommandTable {
  /// Everything that Holdfast's command line can say.
  package static let holdfast = CommandTable(
    program: "holdfast",
    summary: "PostgreSQL backups that are proven, and restores that are whole",
    version: "holdfast \(holdfastVersion)",
    globalOptions: [
      Option(
        "policies", value: "DIR", help: "folder with the policy files", offers: .folders, default: "policies",
        environment: "HOLDFAST_POLICIES"),
      Option("json", help: "print exactly one JSON document to stdout"),
      Option("quiet", short: "q", help: "print no progress"),
      Option(
        "log-level", value: "LEVEL", help: "what is logged to stderr", allowed: ["error", "warning", "info", "debug"],
        default: "warning"),
      Option("no-color", help: "no colours on a terminal", environment: "NO_COLOR"),
    ],
    commands: [initialize, check, backup, list, show, verify, restore, export, hold, release, prune, remove] + deploying
      + installing)

  /// What completions offer for a policy's name.
  static let policyNames = Offer.stems(folderOption: "policies", endings: [".yaml", ".yml"])
  /// What completions offer for a backup's id; `list` asks no server.
  static func backupIDs(after words: [String] = []) -> Offer {
    .printed(by: "list", key: "id", passing: "policies", after: words)
  }

  static let policyOperand = Operand(
    "POLICY", help: "name of the policy: its file's name without .yaml; may be left out when there is only one",
    offers: policyNames, required: false)
  private static let idOperand = Operand(
    "ID", help: "a backup's id, or a unique prefix of it; or `latest`",
    offers: backupIDs(after: ["latest"]))
  private static let policyOption = Option(
    "policy", value: "NAME", help: "look only among this policy's backups", offers: policyNames)

  static let createRepositoryOption = Option(
    "create-repository", help: "make the repository where there is none; otherwise that is an error")

  static let newDatabaseOption = Option(
    "new-database", help: "the policy is of another database than its earlier backups from now on")

  private static let initialize = Command(
    "init", summary: "write a policy and a repository for a database, and check them",
    options: [
      Option("name", value: "NAME", help: "name of the policy; otherwise the database's"),
      Option("environment", value: "NAME", help: "what kind of environment it is", default: "development"),
    ],
    discussion: """
      Finds DATABASE_URL in the environment or in .env, and a Prisma project in the current folder. Writes a commented \
      policy, makes the repository, runs check, and prints the next three commands. Nothing that exists is overwritten.
      """,
    examples: [Example("holdfast init --environment production", comment: "a policy for the database of .env")])

  private static let check = Command(
    "check", summary: "look for everything that would make a backup or a restore fail", operands: [policyOperand],
    options: [
      Option("wait", value: "DURATION", help: "how long to wait for the server to come up, e.g. 60s"),
      Option("deep", help: "also try the way back: restore the schema into a new database, compare and drop it"),
      oldClientOption,
    ],
    discussion: """
      All problems in one list, each with its fix; without POLICY those of all policies. Exit 0 when there is none, 2 otherwise.
      """,
    examples: [
      Example("holdfast check production --wait 60s", comment: "in a container that starts together with its server")
    ]
  )

  private static let backup = Command(
    "backup", summary: "take a backup now and verify it to the policy's level", operands: [policyOperand],
    options: [
      Option("reason", value: "TEXT", help: "why it is taken; goes into its manifest", default: "manual"),
      Option("hold", help: "keep it from pruning until it is released"), createRepositoryOption,
      newDatabaseOption,
    ],
    discussion: """
      A repository that is not there is an error (66): its disk may not be mounted. Only --create-repository, or init, makes one.
      """,
    examples: [Example("holdfast backup --reason \"before the move\" --hold", comment: "a backup that stays")])

  private static let list = Command(
    "list", summary: "list the backups, newest first",
    operands: [
      Operand(
        "POLICY", help: "name of the policy; without it, those of all policies", offers: policyNames, required: false)
    ],
    examples: [Example("holdfast list --json", comment: "for scripts")])

  private static let show = Command(
    "show", summary: "show one backup in full", operands: [idOperand], options: [policyOption],
    examples: [Example("holdfast show latest", comment: "the newest good backup")])

  private static let verify = Command(
    "verify", summary: "prove a backup, and record the result next to it",
    operands: [
      Operand(
        "ID", help: "a backup's id, or a unique prefix of it; `latest` when left out",
        offers: backupIDs(after: ["latest"]), required: false)
    ],
    options: [
      Option("all", help: "every backup"),
      Option(
        "level", value: "LEVEL",
        help: "checksum: every file's size and SHA-256; archive: also read to its end, and every digest compared",
        allowed: ["checksum", "archive"], default: "archive"),
      policyOption,
    ],
    forms: ["[ID]", "--all"],
    discussion: "Exit 65 when a backup is damaged. It is marked, and not used until a verification as thorough passes.",
    examples: [Example("holdfast verify 20261122 --level checksum", comment: "by the beginning of its id")])

  private static let restore = Command(
    "restore", summary: "restore a backup into a new database, or in place of the live one",
    operands: [
      idOperand, Operand("TABLE", help: "further tables, behind --table", required: false, repeatable: true),
    ],
    options: [
      Option("into", value: "NAME", help: "the database to make; it must not exist"),
      Option(
        "table", value: "SCHEMA.TABLE", help: "only this table, with what belongs to it",
        // Of the newest backup: which one is meant the rest of the line may not say yet.
        offers: .printed(by: "show", operands: ["latest"], key: "table_names", passing: "policies"), repeatable: true),
      Option("swap", help: "take the place of the live database, which is kept; `undo` swaps back"), confirmOption,
      Option(
        "verify", value: "HOW",
        help: "how the new database is compared: not at all, by rows per table, or by every digest",
        allowed: RestoreProof.allCases.map(\.rawValue), default: RestoreProof.digest.rawValue),
      Option("no-analyze", help: "leave out the statistics for the planner"), acceptSchemaOption,
      oldClientOption, policyOption,
    ],
    forms: ["ID --into NAME", "ID --table SCHEMA.TABLE... --into NAME", "ID --swap"],
    discussion: """
      The database appears under its name only when it is whole and proven; a restore that fails leaves nothing. It is \
      made on the server of the policy's database.url.
      With --table a table comes with its partitions, keys, indexes, triggers, privileges and comments, and with the types, \
      functions and sequences that they need. Whatever depends on a table you did not ask for (for example a foreign key) is \
      left out and listed. Large objects and views are not restored then.
      """,
    examples: [
      Example("holdfast restore latest --into app_copy", comment: "next to the live database"),
      Example("holdfast restore latest --table shop.orders --into rescue", comment: "one table, to look into"),
    ])

  private static let export = Command(
    "export", summary: "write a backup as plain SQL, whatever its format", operands: [idOperand],
    options: [
      Option("output", short: "o", value: "FILE", help: "a new file to write; otherwise stdout", offers: .files),
      policyOption,
    ],
    discussion: """
      The SQL is what psql reads. The file appears under its name only when it is whole; what goes to stdout is whole when \
      the exit code is 0.
      """,
    examples: [Example("holdfast export latest --output app.sql", comment: "for another tool, or to look into it")])

  private static let hold = Command(
    "hold", summary: "keep a backup from pruning", operands: [idOperand],
    options: [
      Option("reason", value: "TEXT", help: "why it is held; else the reason it has, or \"held by hand\""),
      policyOption,
    ],
    examples: [Example("holdfast hold 20261122T021500Z --reason audit", comment: "until it is released")])

  private static let release = Command(
    "release", summary: "let a held backup be pruned again", operands: [idOperand], options: [policyOption],
    examples: [Example("holdfast release 20261122T021500Z", comment: "the inverse of hold")])

  private static let remove = Command(
    "remove", summary: "remove one backup, whatever retention says", operands: [idOperand],
    options: [Option("confirm", help: "remove it"), policyOption],
    discussion: """
      Shows what would go; only --confirm removes it. A held backup, and one that an open deploy needs, is refused. Damaged ones \
      go too, by their whole id.
      """,
    examples: [Example("holdfast remove 20261122T021500Z --confirm", comment: "its data must not be kept any longer")])

  private static let prune = Command(
    "prune", summary: "show which backups the policy's retention removes, and which stay", operands: [policyOperand],
    options: [Option("confirm", help: "remove them")],
    discussion: """
      Each backup has its reasons. Nothing is removed without --confirm; each good backup does the same by itself. Never \
      removed: held or damaged backups, the last minimum_verified good ones, and anything at all if the system clock has \
      jumped back.
      """,
    examples: [Example("holdfast prune production --confirm", comment: "after a look without --confirm")])
}
