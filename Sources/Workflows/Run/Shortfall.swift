import BackupModel
import Diagnostics
import StreamPipeline

/// What a restored database lacks of its backup, since its own rows or the server do not allow it.
package struct Shortfall: Sendable, Equatable {
  /// The statement of the dump that could not be run as it is.
  let statement: [UInt8]
  /// Run in its place, in order.
  let replacements: [[UInt8]]
  /// The server's reason.
  let why: String
  /// The statement loads rows into it, all or a part of the table's.
  var table: CopyTarget? = nil
  /// The server's.
  var sqlState: String? = nil

  package var isOfRows: Bool { table != nil }
  /// Its rows need another table that is not there: undefined_table.
  package var needsTable: Bool { isOfRows && sqlState == "42P01" }

  /// For people, on one line.
  package var sentence: String {
    if let table {
      return "rows of \(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name)): left out: \(why)"
    }
    let object = DumpedStatement.line(of: statement)
    return "\(object): \(replacements.isEmpty ? "left out" : "added as NOT VALID"): \(why)"
  }
}
