import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// A dump of a database's schema alone.
struct SchemaDump {
  let target: ConnectionTarget
  let toolbox: Toolbox
  let surroundings: Surroundings

  struct Found {
    /// Every statement, as pg_dump has it, in its order.
    var statements: [[UInt8]]
    /// Those that define something, as they are compared.
    var definitions: [SchemaStatement]
  }

  /// - Parameters:
  ///   - encoding: pg_dump's option for it, where it needs one.
  ///   - settings: of its session.
  func read(encoding: [String], settings: [String: String] = [:]) throws(Failure) -> Found {
    let list = StatementList()
    let scanner = SharedScanner(keepStatements: true, telling: list)
    let work = try WorkFolder()
    let command = toolbox.command(
      "pg_dump", ["-Fp", "--schema-only", "--lock-wait-timeout=5000"] + encoding, on: target, purpose: "schema",
      passwordFile: try work.passwordFile(for: target),
      settings: Toolbox.dumpSettings.merging(settings) { _, own in own })
    let exit = try surroundings.runner.run(command, silence: ServerSilence("schema of \(target.database)")) {
      (piece) throws(Failure) in
      try scanner.scan(piece)
    }
    try exit.check("pg_dump")
    _ = try scanner.finish()
    return Found(statements: list.all, definitions: scanner.statements.filter(\.isDefinition))
  }
}
