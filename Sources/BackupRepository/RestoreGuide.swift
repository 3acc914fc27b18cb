import BackupModel
import Diagnostics
import Foundation

/// `RESTORE.md`: how to restore a backup with PostgreSQL's own programs and zstd.
package struct RestoreGuide {
  private let manifest: Manifest

  /// - Parameter manifest: its files may still lack RESTORE.md itself.
  package init(_ manifest: Manifest) { self.manifest = manifest }

  /// Commands begin at the line's begin, so that they work when they are copied from a terminal: an indented end of a here
  /// document is none.
  package var text: String {
    """
    # Restore this backup by hand

    Backup `\(manifest.id)` of database `\(oneLine(manifest.source.database))`, PostgreSQL \(manifest.source.serverVersion),
    taken \(timestamp(manifest.createdAt)). Holdfast is not needed for this; \(programs) are.

    Set `PGHOST`, `PGPORT` and `PGUSER` for the server to restore into (as a superuser), go to this folder in `bash`, and
    choose the name of the new database\(scratchWish):

    ```sh
    set -o pipefail
    export PGOPTIONS='-c default_transaction_read_only=off -c statement_timeout=0'
    target=restored\(isDirectory ? "\nscratch=$(mktemp -d)" : "")
    ```

    1. Every file is as it was written:

    ```sh
    sha256sum --check --quiet SHA256SUMS
    ```
    \(expandStep)\(globalsStep)
    \(isDirectory ? 3 : 2). Create the database, give it its owner, privileges and settings, and fill it:

    ```sh
    \(createCommand)
    psql -X -v ON_ERROR_STOP=1 -v database="$target" -d postgres -f database.sql\(publicStep)
    \(fillCommand)
    psql -X -d "$target" -c ANALYZE\(isDirectory ? "\nrm -r \"$scratch\"" : "")
    ```

    The database must not exist yet. A restore that failed half way: drop the new database, fix the cause, start again.\(olderServerNote)

    """
  }

  /// One word of the shell: a locale may hold anything, also what would end a here document.
  private var createCommand: String {
    let psql = "psql -X -v ON_ERROR_STOP=1 -v database=\"$target\" -d postgres"
    let create = manifest.source.properties.withoutSettings.createStatement(
      name: SQLFragment(psqlVariable: "database"), major: major)
    return "printf '%s\\n' \(shellWord(create + ";")) | \(psql)"
  }

  /// From 17 on pg_dump and pg_restore set what an older server does not know, and would end at that.
  private var olderServerNote: String {
    let first = PostgreSQLMajor.firstThatSetsTransactionTimeout
    guard dumpMajor >= first, major < first else { return "" }
    let option = manifest.format == .plain ? "-v ON_ERROR_STOP=1" : "--exit-on-error"
    return """


      On a server older than \(first), leave out `\(option)`: the program then reports that it does not know
      `transaction_timeout`, once or a few times, which does no harm. Any other error does.
      """
  }

  private var dumpMajor: Int { manifest.dumpMajor }
  private var major: Int { manifest.sourceMajor }
  private var isDirectory: Bool { manifest.format == .directory }

  private var programs: String {
    let restore = manifest.format == .plain ? [] : ["`pg_restore` \(dumpMajor) or newer"]
    let expand = manifest.compression.hasPrefix("zstd") ? ["`zstd`"] : manifest.compression == "none" ? [] : ["`gzip`"]
    let all = restore + ["`psql`", "`sha256sum`"] + expand
    return all.dropLast().joined(separator: ", ") + " and \(all.last ?? "")"
  }

  private var scratchWish: String { isDirectory ? " and a folder with \(expandedSize) to spare" : "" }

  private var expandStep: String {
    guard isDirectory else { return "" }
    return """

      2. Expand the data into the other folder; the backup stays as it is:

      ```sh
      cp -R data "$scratch/data"
      \(expandCommand)
      ```

      """
  }

  private var expandCommand: String {
    switch manifest.compression.prefix(4) {
    case "zstd": "find \"$scratch/data\" -name '*.zst' -exec zstd -d -q --rm {} +"
    case "gzip": "find \"$scratch/data\" -name '*.gz' -exec gzip -d {} +"
    default: "# the data files are not compressed"
    }
  }

  /// A dump that stops half way must not look like a whole one: psql and pg_restore may end well on it.
  private var fillCommand: String {
    let file = manifest.dataFile?.path ?? ""
    let print = file.hasSuffix(".zst") ? "zstd -dc \(file)" : file.hasSuffix(".gz") ? "gzip -dc \(file)" : "cat \(file)"
    return switch manifest.format {
    case .directory: "pg_restore -Fd -j 2 --exit-on-error -d \"$target\" \"$scratch/data\""
    case .custom: "\(print) | pg_restore -Fc --exit-on-error -d \"$target\""
    case .plain: "\(print) | psql -X -q -v ON_ERROR_STOP=1 -d \"$target\""
    }
  }

  /// pg_dump 15 and newer takes the schema `public` for closed.
  private var publicStep: String {
    guard dumpMajor >= PostgreSQLMajor.firstWithClosedPublic, major < PostgreSQLMajor.firstWithClosedPublic else {
      return ""
    }
    return "\npsql -X -v ON_ERROR_STOP=1 -d \"$target\" -c 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'"
  }

  private var globalsStep: String {
    guard manifest.files.contains(where: { $0.path == "globals.sql" }) else { return "" }
    let roles = manifest.needs.roles.map { "`\(oneLine($0))`" }.joined(separator: ", ")
    return """

      The server needs the roles \(roles). Where they are missing:
      `psql -X -d postgres -f globals.sql` (a role that exists already gives an error, which does no harm).

      """
  }

  private var expandedSize: String { "\(manifest.rawBytes / 1_000_000 + 1) MB" }

  /// A name may hold anything; the guide's text must not be broken by it.
  private func oneLine(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.unicodeScalars.map { $0.properties.isWhitespace || $0 == "`" || $0.isUnprintable ? " " : $0 }))
  }
}
