/// The starter policy that `holdfast init` writes: every key that works now, with its default and a comment.
package enum PolicyTemplate {
  /// - Parameters:
  ///   - databaseURLVariable: the environment variable that holds the connection; only its name is written.
  ///   - repository: relative to the policy's file, or absolute.
  ///   - repositoryID: the id in its holdfast.json.
  ///   - migrations: Prisma's migrations folder, likewise; nil: there is none.
  package static func text(
    environment: String, databaseURLVariable: String, repository: String, repositoryID: String? = nil,
    migrations: String? = nil
  ) -> String {
    """
    # A policy of Holdfast: which database is backed up, where to, and how well each backup is proven.
    # Every key but database.url may be left out. ${NAME} takes an environment variable. Check it with: holdfast check

    version: 1                      # of this format

    # Shown everywhere, so that nobody mistakes one database for another.
    environment: \(scalar(environment))

    database:
      # As Prisma or libpq write it: postgresql://USER:PASSWORD@HOST:5432/NAME. Keep the password out of this file.
      url: ${\(databaseURLVariable)}

    tools:
      # The folder with pg_dump and pg_restore, for example /usr/lib/postgresql/15/bin.
      # null: those of the server's major version, else the newest installed above it.
      directory: null
      # Before each of them, for a server in a container: [docker, exec, -i, postgres]. Behind the exec of docker, podman
      # and nerdctl come -e PGPASSWORD and the like; any other wrapper needs a .pgpass on its side.
      wrapper: []

    # Where the backups are kept, relative to this file. Best on another disk than the database's.
    repository: \(scalar(repository))
    # The id in its holdfast.json. Another repository at that path, such as another disk, is an error. null: the id is not
    # compared; a repository is refused only when its backups of this policy were written into another one.
    repository_id: \(repositoryID.map(scalar) ?? "null")

    # Tables dumped or restored at the same time, 1 to 64; auto: the least of cores, 8, half the server's free connections.
    jobs: auto
    # false: a superuser's restore loads rows with their owners' rights alone, and refuses backups with functions of theirs.
    trust_owner: true

    backup:
      format: null                  # null: directory, behind a wrapper custom; or plain, which is SQL
      compression: auto             # auto, zstd, zstd:1 (fast) to zstd:19 (small), gzip, none
      full_every: 0s                # 0s: every backup is complete in itself
      globals: true                 # also roles, tablespaces, the database's settings and privileges; or without_passwords
      lock_wait_timeout: 30s        # how long to wait for a table that is locked before giving way
      exclude_table_data: []        # tables saved without their rows, as patterns: [public.sessions, "audit.log_*"]
      # When the newest good backup is older, status and check report it (exit 2): a job that does not run shows nowhere else.
      max_age: 26h                  # null: it may be of any age
      accept_missing: []            # what a snapshot may lack and still let a deploy begin: [subscription]

    verify:
      # checksum: every file's size and SHA-256. archive: also reads every row again and compares the digests.
      after_backup: archive

    # Which backups stay, in restic's words. With all rules at 0 nothing is ever removed.
    retention:
      keep_last: 0                  # the newest so many, for example 7
      keep_daily: 0                 # the newest of each of the last so many days that have a backup, for example 14
      keep_weekly: 0                # for example 8
      keep_monthly: 0               # for example 12
      keep_yearly: 0
      keep_within: 0s               # what is younger than the newest backup by less, for example 48h
      minimum_verified: 3           # never fewer verified ones, whatever the rest says

    migrations:
      # The folder that holds Prisma's migrations, relative to this file.
      directory: \(migrations.map(scalar) ?? "null")
      command: []                   # what applies them, e.g. [npx, prisma, migrate, deploy]; empty: Holdfast itself
      command_timeout: 1h           # how long that may take, with all that it starts; 0: without limit
      lock_timeout: 5s              # how long a migration waits for a lock before it gives way
      on_failure: stop              # stop and say so, or rollback
      standby_copy: off             # the snapshot as a database too, for a rollback within seconds: restored, or cloned
      hold_for: 14d                 # how long the snapshot is kept from rotation
      health_checks: []             # after a deploy: [{sql: "SELECT true"}, {command: [curl, -fsS, http://localhost/health]}]
      health_check_timeout: 60s     # how long each of them may take; 0: without limit
      statement_timeout: 0          # how long one statement of it may run; 0: without limit

    """
  }

  /// In quotes, unless it is a plain word or path.
  private static func scalar(_ text: String) -> String {
    let safe = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: false
      }
    }
    if safe, !text.isEmpty, text.lowercased() != "null" { return text }
    let oneLine = String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    return "'" + oneLine.replacing("'", with: "''") + "'"
  }
}
