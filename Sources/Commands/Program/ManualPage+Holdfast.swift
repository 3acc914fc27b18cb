import CommandSyntax
import Diagnostics

extension ManualPage {
  /// What the manual page of Holdfast says besides its commands.
  static let holdfast = ManualPage(
    description: """
      Holdfast runs pg_dump, pg_dumpall and pg_restore, keeps what they write in a repository of open formats, and never \
      believes an exit code alone: every table is digested while it is dumped, the stored files are hashed, and a restored \
      database is dumped again and compared before it gets its name.
      Its one idea is: no migration without a proven way back. `deploy` takes a proven snapshot first; `rollback` is one \
      command, and what it replaces is kept.
      A policy, a YAML file in the folder `policies`, says which database is backed up, where to, and how well it is \
      verified. `init` writes one, with a comment at each key. Where there is only one policy its name may be left out.
      Results go to stdout; progress, warnings and errors go to stderr. An error says what failed and why, and ends with a \
      hint: what to type next. With `--json` stdout has exactly one JSON document, errors too.
      """,
    exitStatus: ExitCode.allCases.map { Entry("\($0.rawValue)", $0.meaning) },
    environment: [
      Entry(
        "DATABASE_URL",
        """
        the database that `init` writes a policy for. A policy may take any variable: ${NAME} stands for its value, from \
        the environment, else from .env or prisma/.env beside the folder of the policies
        """),
      Entry("TMPDIR", "where temporary files go; /tmp when it is not set"),
      Entry("PATH", "where PostgreSQL's client programs are looked for, after the usual folders of packages"),
    ],
    files: [
      Entry("policies/NAME.yaml", "the policy NAME"),
      Entry("backups/", "the repository, unless the policy names another: its files are the only truth"),
      Entry(
        "backups/NAME/ID/",
        "a backup: SHA256SUMS, manifest.json, the files, and RESTORE.md on how to do without Holdfast"),
      Entry("backups/NAME/deploys/ID/journal.jsonl", "what a deploy or rollback did, step by step"),
      Entry("backups/audit.jsonl", "who ran what with what outcome; each line is chained to the one before"),
      Entry(".env, prisma/.env", "variables of the project, read where the environment has none"),
      Entry("~/.pgpass", "passwords for connections whose policy has none"),
    ],
    examples: [
      Example("holdfast init", comment: "set up, in the folder of a project with a DATABASE_URL"),
      Example(
        "15 2 * * *  cd /srv/shop && /usr/local/bin/holdfast backup --quiet >/dev/null",
        comment: "back up every night, as a line for cron, which mails errors"),
      Example("holdfast deploy || holdfast status", comment: "deploy, or see where it stands"),
      Example("holdfast rollback --plan", comment: "what would go back, and what would be lost"),
      Example(
        "holdfast list --json | jq -r '.backups[] | select(.state == \"complete\") | .id'",
        comment: "use it in a script"),
    ],
    seeAlso: ["pg_dump(1)", "pg_dumpall(1)", "pg_restore(1)", "psql(1)", "zstd(1)", "sha256sum(1)", "crontab(5)"])
}
