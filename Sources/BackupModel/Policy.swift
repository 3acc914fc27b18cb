import Diagnostics

/// One policy file, validated: which database, where to, how, and how well proven.
///
/// Only what this version acts on is here; PolicyFiles checks the other keys of the contract and refuses to be told
/// to do what Holdfast cannot do yet.
package struct Policy: Sendable, Equatable {
  /// The stem of the policy's file.
  package var name: String
  /// Shown everywhere; decides nothing.
  package var environment: String
  /// What `database.url` says.
  package var target: ConnectionTarget
  package var tools: ToolSettings
  /// Absolute path of the repository.
  package var repository: String
  /// Tables dumped or restored at the same time; nil: as cores and the server's free connections allow.
  package var jobs: Int?
  /// The id that its holdfast.json must have; nil: that of the policy's backups in it.
  package var repositoryID: String?
  /// What owners of tables made may run with a superuser's rights when their rows are restored.
  package var trustsOwner: Bool
  package var backup: BackupSettings
  package var verifyAfterBackup: VerificationLevel
  package var migrations: MigrationSettings
  package var retention: RetentionRules

  package init(
    name: String, environment: String, target: ConnectionTarget, tools: ToolSettings = ToolSettings(),
    repository: String,
    repositoryID: String? = nil, jobs: Int? = nil, trustsOwner: Bool = true,
    backup: BackupSettings = BackupSettings(),
    verifyAfterBackup: VerificationLevel = .archive,
    migrations: MigrationSettings = MigrationSettings(), retention: RetentionRules = RetentionRules()
  ) {
    self.name = name
    self.environment = environment
    self.target = target
    self.tools = tools
    self.repository = repository
    self.jobs = jobs
    self.repositoryID = repositoryID
    self.trustsOwner = trustsOwner
    self.backup = backup
    self.verifyAfterBackup = verifyAfterBackup
    self.migrations = migrations
    self.retention = retention
  }
}

/// The `tools` section of a policy: where PostgreSQL's programs are, and how they are reached.
package struct ToolSettings: Sendable, Equatable {
  /// Their folder; nil: what is installed decides.
  package var directory: String?
  /// What stands before a program's name, `docker exec -i postgres`; it has its own view of files, and its own environment.
  package var wrapper: [String]

  package init(directory: String? = nil, wrapper: [String] = []) {
    self.directory = directory
    self.wrapper = wrapper
  }

  /// What the policy says of the place, for errors; nil when it says nothing.
  package var place: String? { directory ?? (wrapper.isEmpty ? nil : wrapper.joined(separator: " ")) }
}

/// How a backup holds its data.
package enum BackupFormat: String, Sendable, Codable, CaseIterable {
  /// A file per table, dumped and restored on every core.
  case directory
  /// pg_dump's archive in one file.
  case custom
  /// SQL for psql.
  case plain

  /// The one file of a format that has one, before its compression's ending.
  package var file: String? {
    switch self {
    case .directory: nil
    case .custom: "data.dump"
    case .plain: "data.sql"
    }
  }
}

/// The `backup` section of a policy.
package struct BackupSettings: Sendable, Equatable {
  package enum Globals: Sendable {
    /// With the hashes of passwords, as far as the role may read them.
    case whole
    case withoutPasswords
    case none
  }

  package var format: BackupFormat
  package var compression: Compression
  /// Whether roles and tablespaces are saved too, and how.
  package var globals: Globals
  /// How long pg_dump waits for a table lock before it gives way.
  package var lockWaitTimeout: Duration
  /// Patterns of tables whose rows are left out, as pg_dump's `--exclude-table-data` takes them.
  package var excludeTableData: [String]
  /// How old the newest good backup may be; nil: of any age.
  package var maxAge: Duration?
  /// Kinds that a snapshot may lack and still be the way back of a deploy.
  package var acceptMissing: [String]

  package init(
    format: BackupFormat = .directory, compression: Compression = .auto, globals: Globals = .whole,
    lockWaitTimeout: Duration = .seconds(30), excludeTableData: [String] = [], acceptMissing: [String] = [],
    maxAge: Duration? = nil
  ) {
    self.maxAge = maxAge
    self.format = format
    self.compression = compression
    self.globals = globals
    self.lockWaitTimeout = lockWaitTimeout
    self.excludeTableData = excludeTableData
    self.acceptMissing = acceptMissing
  }
}

/// The `retention` section of a policy: how many backups stay, in restic's meaning of the words. Without any of these rules
/// nothing is ever removed.
package struct RetentionRules: Sendable, Equatable {
  package var keepLast = 0
  package var keepDaily = 0
  package var keepWeekly = 0
  package var keepMonthly = 0
  package var keepYearly = 0
  /// Everything that is younger than the newest backup by less than this.
  package var keepWithin = Duration.zero
  /// Never fewer than this many verified backups, whatever the other rules say.
  package var minimumVerified = 3

  package init() {}

  package var isEmpty: Bool {
    keepLast + keepDaily + keepWeekly + keepMonthly + keepYearly == 0 && keepWithin == .zero
  }
}

/// The `migrations` section of a policy.
package struct MigrationSettings: Sendable, Equatable {
  /// Absolute path of Prisma's migrations folder.
  package var directory: String?
  /// How long a statement of a migration waits for a lock before it gives way.
  package var lockTimeout: Duration
  /// How long a statement of a migration may take; zero: no limit.
  package var statementTimeout: Duration
  /// A program that applies the migrations, with its arguments; empty: Holdfast itself.
  package var command: [String]
  /// How long that program may take; nil: as long as it takes.
  package var commandTimeout: Duration?
  /// What has to hold after the migrations were applied.
  package var healthChecks: [HealthCheck]
  /// How long each of them may take; nil: as long as it takes.
  package var healthCheckTimeout: Duration?
  package var onFailure: OnFailure
  /// Whether the snapshot is kept as a database too.
  package var standbyCopy: StandbyCopy
  /// How long a snapshot is kept from pruning.
  package var holdFor: Duration

  package enum OnFailure: String, Sendable { case stop, rollback }

  package enum StandbyCopy: String, Sendable {
    case off
    /// From the snapshot's files, proven like every restore.
    case restored
    /// By the server, from the live database, which lets nobody in meanwhile.
    case cloned
  }

  package init(
    directory: String? = nil, command: [String] = [], lockTimeout: Duration = .seconds(5),
    statementTimeout: Duration = .zero, commandTimeout: Duration? = .seconds(3600), healthChecks: [HealthCheck] = [],
    healthCheckTimeout: Duration? = .seconds(60), onFailure: OnFailure = .stop,
    standbyCopy: StandbyCopy = .off, holdFor: Duration = .seconds(14 * 86_400)
  ) {
    self.directory = directory
    self.command = command
    self.lockTimeout = lockTimeout
    self.statementTimeout = statementTimeout
    self.commandTimeout = commandTimeout
    self.healthChecks = healthChecks
    self.healthCheckTimeout = healthCheckTimeout
    self.onFailure = onFailure
    self.standbyCopy = standbyCopy
    self.holdFor = holdFor
  }
}

/// One thing that has to hold after a deploy.
package enum HealthCheck: Sendable, Equatable {
  /// A query whose one value must be true.
  case sql(String)
  /// A program that must end with exit 0.
  case command([String])
}

/// How the data files of a backup are stored.
package enum Compression: Sendable, Equatable {
  case none
  /// zstd at a level from 1 to 19.
  case zstd(level: Int)
  /// gzip at a level from 1 to 9.
  case gzip(level: Int)

  /// Level 2: on dumps of application databases it is as small as 3 and a fifth faster (docs/design.md).
  package static let auto = Compression.zstd(level: 2)

  /// Level 4: a quarter less work than gzip's own default, 6, for two to four percent more bytes (docs/performance.md).
  package static let gzip = Compression.gzip(level: 4)

  /// As a policy writes it.
  package var name: String {
    switch self {
    case .none: "none"
    case .zstd(let level): "zstd:\(level)"
    case .gzip(let level): "gzip:\(level)"
    }
  }

  /// What the name of a compressed file ends with.
  package var ending: String {
    switch self {
    case .none: ""
    case .zstd: ".zst"
    case .gzip: ".gz"
    }
  }
}

/// How far a backup is proven, from cheap to certain.
package enum VerificationLevel: String, Sendable, Codable, CaseIterable, Comparable {
  /// Every file's size and SHA-256 against the manifest.
  case checksum
  /// Also: the archive read to its very end, and every digest computed again.
  case archive

  package static func < (left: VerificationLevel, right: VerificationLevel) -> Bool {
    left.rank < right.rank
  }

  /// From cheap to certain.
  private var rank: Int {
    switch self {
    case .checksum: 0
    case .archive: 1
    }
  }
}
