import CommandSyntax

/// The commands around migrations.
extension CommandTable {
  static let deploying = [
    status, snapshot, deploy, rollback, undo, resume, abandon, migrations, resolve, baseline,
  ]

  static let confirmOption = Option(
    "confirm", value: "DBNAME", help: "the database's name, where there is no terminal to type it on")

  static let acceptSchemaOption = Option(
    "accept-schema-text",
    help:
      "go on where every row is equal and the restored schema differs in its wording, or lacks what cannot be restored")

  static let oldClientOption = Option(
    "accept-old-client", help: "with trust_owner: false, restore with a client that has known security holes, too")

  /// Both ask the server, for two seconds at most.
  private static let migrationNames = Offer.printed(by: "migrations", key: "name", passing: "policies", after: [])
  private static let deployIDs = Offer.printed(by: "status", key: "deploy", passing: "policies", after: [])

  private static let status = Command(
    "status", summary: "one screen: backups, migrations, the way back, space", operands: [policyOperand],
    discussion: "Without POLICY, all policies. Exit 0 when all is well, 2 when somebody has to look.",
    examples: [Example("holdfast status production", comment: "first thing at 3 a.m.")])

  private static let snapshot = Command(
    "snapshot", summary: "take a backup bound to the migrations' state, held; print its id", operands: [policyOperand],
    options: [createRepositoryOption, newDatabaseOption, oldClientOption],
    discussion: "For deploy hooks that apply their migrations themselves. Verified to `archive` at least.",
    examples: [Example("holdfast snapshot && npx prisma migrate deploy", comment: "no proof, no migration")])

  private static let deploy = Command(
    "deploy", summary: "take a proven snapshot, then apply the pending migrations", operands: [policyOperand],
    options: [createRepositoryOption, newDatabaseOption, oldClientOption],
    takesTrailingCommand: true,
    discussion: """
      Without a snapshot that is proven no migration is begun. Applies them itself, or by the policy's \
      migrations.command or the command after --; the history is read back either way.
      """,
    examples: [
      Example("holdfast deploy production", comment: "by Holdfast itself"),
      Example("holdfast deploy -- npx prisma migrate deploy", comment: "by another program"),
    ])

  private static let rollback = Command(
    "rollback", summary: "bring the database back to before a deploy", operands: [policyOperand],
    options: [
      Option("deploy", value: "ID", help: "this deploy, not the last one", offers: deployIDs),
      Option(
        "before", value: "MIGRATION", help: "the deploy that first applied this migration", offers: migrationNames),
      Option("to", value: "BACKUP", help: "this backup", offers: backupIDs()),
      Option("plan", help: "only show what would be done"),
      acceptSchemaOption, oldClientOption, confirmOption,
    ],
    discussion: """
      Restores the snapshot next to the live database, proves it, carries the history on, and exchanges the two names in \
      one transaction. Nothing is dropped: the current database is kept under another name.
      """,
    examples: [Example("holdfast rollback --plan", comment: "what is restored, and what is lost?")])

  private static let undo = Command(
    "undo", summary: "swap the last rollback back", operands: [policyOperand],
    options: [
      Option("deploy", value: "ID", help: "the rollback of this deploy, not the last one", offers: deployIDs),
      confirmOption,
    ],
    examples: [Example("holdfast undo --confirm app", comment: "the database before the rollback is live again")])

  private static let resume = Command(
    "resume", summary: "finish an interrupted deploy or rollback", operands: [policyOperand],
    options: [acceptSchemaOption, oldClientOption, confirmOption],
    takesTrailingCommand: true,
    discussion: "A deploy whose migrations another program applied needs that program again.",
    examples: [Example("holdfast resume", comment: "after a crash or a reboot")])

  private static let abandon = Command(
    "abandon", summary: "give up an interrupted deploy or rollback", operands: [policyOperand],
    options: [confirmOption], discussion: "Afterwards the database is as it was before the interrupted command began.",
    examples: [Example("holdfast abandon --confirm app", comment: "the inverse of resume")])

  private static let migrations = Command(
    "migrations", summary: "compare the migrations folder with the database's history", operands: [policyOperand],
    discussion: """
      Pending, applied, failed (with what the server said), rolled back, edited and missing ones, together. Exit 0 only \
      when nothing is pending and nothing is wrong, 2 otherwise.
      """,
    examples: [Example("holdfast migrations production", comment: "what would a deploy do?")])

  private static let resolve = Command(
    "resolve", summary: "tell the history what became of a failed migration",
    operands: [Operand("NAME", help: "the migration's folder, whole", offers: migrationNames)],
    options: [
      Option("applied", help: "the database has all that the migration makes"),
      Option("rolled-back", help: "the database has nothing of it; it will be applied again"),
      Option("policy", value: "NAME", help: "the policy of the database", offers: policyNames),
    ],
    forms: ["NAME --applied", "NAME --rolled-back"],
    discussion: "Leaves the rows that `prisma migrate resolve` leaves, and refuses what it refuses.",
    examples: [
      Example("holdfast resolve 20261122093100_unique_email --rolled-back", comment: "after its script was fixed")
    ])

  private static let baseline = Command(
    "baseline", summary: "record migrations as applied in a database that already has what they make",
    operands: [policyOperand],
    options: [
      Option(
        "to", value: "NAME", help: "the last migration that the database has; the rest stays pending",
        offers: migrationNames),
      Option("all", help: "the database has what all of them make"),
      Option("undo", help: "take back what the last baseline recorded, unless something was deployed since"),
    ],
    forms: ["[POLICY] --to NAME", "[POLICY] --all", "[POLICY] --undo"],
    discussion: """
      Nothing is run: what the history says is believed by every later deploy. What is recorded is shown first, and on a \
      terminal you are asked.
      """,
    examples: [Example("holdfast baseline --to 20240101000000_init", comment: "the rest stays pending")])
}
