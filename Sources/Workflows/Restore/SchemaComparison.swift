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
    let live = try SchemaDump(target: target, toolbox: toolbox, surroundings: surroundings)
      .read(encoding: backup.manifest.source.properties.withoutSettings.dumpEncoding)
    return SchemaDifference.between(
      statements.filter(\.isDefinition), live.definitions
    ).isEmpty
  }
}
