import BackupModel
import PostgresTools

extension Policy {
  /// The database that it is of; nil when its URL cannot be read.
  package var database: String? { (try? ConnectionURL.parse(databaseURL))?.database }
  /// `host:port` of its server; nil likewise.
  package var endpoint: String? { (try? ConnectionURL.parse(databaseURL))?.endpoint }
}
