import BackupModel
import Diagnostics
import Planning

/// Which deploy, or which backup, a rollback goes back to.
package enum RollbackChoice: Sendable, Equatable {
  case lastDeploy
  case deploy(String)
  /// The deploy that first applied a migration.
  case before(migration: String)
  case backup(String)
}

/// What a rollback would do.
package struct RollbackPlan: Sendable {
  package enum Mode: String, Sendable {
    case restore
    /// Only the history has to be corrected.
    case resolveOnly = "resolve-only"
  }

  /// Its journal takes the rollback's events.
  package var deploy: String
  package var mode: Mode
  package var backup: Backup
  package var database: String
  package var keptAs: String
  /// The database that is restored beside.
  package var temporary: String
  /// That database is there already: a rollback is a rename.
  package var copy: DeployRecord.StandbyCopy?
  /// Migrations that the live history has and the backup has not.
  package var undoes: [String]
  /// The failed migration, for `resolveOnly`.
  package var failed: String?
  package var lostWrites: [TableWrites]
  /// Tables with rows that the backup has and the live database has not, by their names: they were dropped or renamed since.
  package var droppedTables: [String] = []
  /// Every table was looked at for them.
  package var countedAll = true
  package var sessions: [(application: String, count: Int)]
  /// Roles whose sessions this one may not end: while they are connected, the names cannot be exchanged.
  package var unstoppable: UnstoppableSessions?
  /// What stays with the old database.
  package var staying: [String]
  package var liveExists: Bool
  /// The backup was taken on a server that was not this one: it has moved, or the URL leads to another than is meant.
  package var isOfAnotherServer = false
  /// Why the live database cannot be looked into, where that is so: what is lost is not known then.
  package var unreadable: String?
  /// What belongs to the database and not to its content: as the backup has it, and after the rollback.
  package var backedUpProperties: DatabaseProperties
  package var properties: DatabaseProperties
  /// Where the live one and the snapshot differ in that.
  package var propertyDifferences: [PropertyDifference] = []
  /// Transactions of the migrations that are undone, as xmin has them.
  var writers: [String] = []
  /// What the undone migrations did outside of the database, which no rollback takes back.
  package var staysDone: [String] = []
  /// How long it takes, by a restore before, or by estimate.
  package var estimatedSeconds: Double
  package var isEstimate = true
  /// For the restored database.
  package var room: ServerRoom
  /// What was true when it was made: it is done only as long as that is so.
  var situation = Situation()

  struct Situation: Equatable, Sendable {
    var liveOID: String?
    var lastDeploy: String?
    var undoes: [String] = []
    var propertyDifferences: [PropertyDifference] = []
  }
}
