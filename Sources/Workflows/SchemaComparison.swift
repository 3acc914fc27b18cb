import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Compares a live schema with that of a backup.
struct SchemaComparison {
  let policy: Policy
  let surroundings: Surroundings

  /// Whether every statement of the live schema is in the backup's, and the other way round. Large objects, which a dump of
  /// the schema alone leaves out, do not count.
  func liveEquals(_ backup: Backup, _ target: ConnectionTarget) throws(Failure) -> Bool {
    let toolbox = try surroundings.toolbox(forMajor: backup.manifest.dumpMajor, demanded: policy.tools)
    let statements = try BackupParts(backup: backup, toolbox: toolbox, surroundings: surroundings).schemaStatements()
    let work = try WorkFolder()
    let scanner = DumpScanner(keepStatements: true)
    let command = toolbox.command(
      "pg_dump", ["-Fp", "--schema-only", "--lock-wait-timeout=5000"], on: target, purpose: "rollback",
      passwordFile: try work.passwordFile(for: target),
      settings: Toolbox.dumpSettings)
    let exit = try surroundings.runner.run(command) { (piece) throws(Failure) in try scanner.scan(piece) }
    try exit.check("pg_dump")
    _ = try scanner.finish()
    return Self.comparable(statements) == Self.comparable(scanner.statements)
  }

  /// What a dump of the schema alone has, too.
  private static func comparable(_ statements: [String]) -> [String] {
    statements.filter {
      !$0.contains("LARGE OBJECT ") && !$0.contains("lo_create(") && !$0.hasPrefix("REFRESH MATERIALIZED VIEW ")
    }.sorted()
  }
}
