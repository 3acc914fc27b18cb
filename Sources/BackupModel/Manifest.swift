import Foundation

/// `manifest.json`: what a backup is, written last and never changed.
package struct Manifest: Sendable, Equatable, Codable {
  /// The version of the on-disk format that this program reads and writes.
  package static let currentVersion = 1

  package var version: Int
  package var id: String
  package var policy: String
  package var environment: String
  /// `manual`, `pre-deploy`, or what `--reason` said.
  package var reason: String
  package var createdAt: Date
  package var finishedAt: Date
  /// The version of Holdfast that wrote it.
  package var holdfast: String
  package var source: Source
  package var tools: [Tool]
  package var format: BackupFormat
  package var compression: String
  /// `none` until encryption exists.
  package var encryption: String
  package var snapshot: Snapshot
  package var files: [StoredFile]
  package var digests: DatabaseDigest
  package var needs: Needs
  package var excludeTableData: [String]
  /// What `excludeTableData` meant, as patterns that all have a schema: another session has another search path.
  package var excludeQualified: [String]?
  /// Deploy that the backup belongs to.
  package var deploy: String?
  /// Whether it is of the policy's database: that of the backups before, the first, or one that was accepted as new; nil: by a version that
  /// did not ask.
  package var newDatabase: Bool?
  /// Id of the repository that it was written into; nil: by a version that did not note it.
  package var repository: String?
  /// The migrations' state that a pre-deploy backup is bound to.
  package var migrations: Migrations?
  /// A rollback to this backup was tried with its schema before the migrations began; nil: it was not.
  package var wayBack: WayBack?
  /// What was written to the tables before the snapshot, by the server's statistics; nil in backups of an older version.
  package var activity: Activity?
  /// Which functions and operators its definitions use, other than built-in ones; nil in backups of an older version.
  package var resolvedUses: CountedDigest?
  package var timings: [Timing]
  /// Whether everything was saved that the catalogs had; nil in backups of versions that did not look.
  package var complete: Bool?
  package var missing: [CensusEntry]?
  /// What no dump carries, and is no loss by itself.
  package var notes: [CensusEntry]?

  package init(
    id: String, policy: String, environment: String, reason: String, createdAt: Date, finishedAt: Date,
    holdfast: String, source: Source, tools: [Tool], format: BackupFormat, compression: String, snapshot: Snapshot,
    files: [StoredFile], digests: DatabaseDigest, needs: Needs, excludeTableData: [String], timings: [Timing]
  ) {
    version = Self.currentVersion
    self.id = id
    self.policy = policy
    self.environment = environment
    self.reason = reason
    self.createdAt = createdAt
    self.finishedAt = finishedAt
    self.holdfast = holdfast
    self.source = source
    self.tools = tools
    self.format = format
    self.compression = compression
    encryption = "none"
    self.snapshot = snapshot
    self.files = files
    self.digests = digests
    self.needs = needs
    self.excludeTableData = excludeTableData
    excludeQualified = nil
    deploy = nil
    newDatabase = nil
    repository = nil
    migrations = nil
    wayBack = nil
    activity = nil
    resolvedUses = nil
    self.timings = timings
    complete = nil
    missing = nil
    notes = nil
  }

  /// With what the census of its snapshot found.
  package mutating func take(_ census: Census) {
    complete = census.missing.isEmpty
    missing = census.missing
    notes = census.notes
  }

  /// How large one may be: half a million tables or large objects. Whatever reads one has all of it in memory.
  package static let mostMegabytes = 128

  /// Whether its numbers are of this world: an exabyte in all at most, so that they can be added up.
  package var isPlausible: Bool {
    let numbers = files.map(\.bytes) + files.map { $0.rawBytes ?? 0 } + digests.tables.map(\.rows) + [source.bytes]
    var sum: UInt64 = 0
    for number in numbers {
      guard number <= Self.limit, sum <= Self.limit else { return false }
      sum += number
    }
    return sum <= Self.limit
  }

  private static let limit: UInt64 = 1 << 60

  /// Major version of the server that was backed up.
  package var sourceMajor: Int { source.serverVersionNumber / 10_000 }

  /// Major version of the pg_dump that wrote the archive: an older pg_restore does not read it.
  package var dumpMajor: Int {
    tools.first { $0.name == "pg_dump" }.flatMap { Int($0.version.prefix { $0 != "." }) } ?? sourceMajor
  }

  /// The file that holds all data, in the formats that have one.
  package var dataFile: StoredFile? {
    format.file.flatMap { name in files.first { $0.path.hasPrefix("\(name)") } }
  }

  /// Bytes of all stored files.
  package var storedBytes: UInt64 { files.reduce(0) { $0 + $1.bytes } }
  /// Bytes of the files before compression.
  package var rawBytes: UInt64 { files.reduce(0) { $0 + ($1.rawBytes ?? $1.bytes) } }

  package struct Source: Sendable, Equatable, Codable {
    package var systemIdentifier: String
    package var database: String
    package var oid: UInt32
    package var serverVersion: String
    /// As `server_version_num` has it: 150020.
    package var serverVersionNumber: Int
    /// `host:port` or the socket's folder.
    package var host: String
    package var standby: Bool
    /// `pg_database_size`, bytes on the server's disk.
    package var bytes: UInt64
    package var properties: RecordedProperties

    package init(
      systemIdentifier: String, database: String, oid: UInt32, serverVersion: String, serverVersionNumber: Int,
      host: String, standby: Bool, bytes: UInt64, properties: DatabaseProperties
    ) {
      self.systemIdentifier = systemIdentifier
      self.database = database
      self.oid = oid
      self.serverVersion = serverVersion
      self.serverVersionNumber = serverVersionNumber
      self.host = host
      self.standby = standby
      self.bytes = bytes
      self.properties = RecordedProperties(properties)
    }
  }

  package struct Tool: Sendable, Equatable, Codable {
    package var name: String
    package var version: String

    package init(name: String, version: String) {
      self.name = name
      self.version = version
    }
  }

  /// The MVCC snapshot that the dump shows, and where the write-ahead log stood.
  package struct Snapshot: Sendable, Equatable, Codable {
    /// `pg_current_snapshot()` of the exporting transaction: `xmin:xmax:xip,…`.
    package var pgCurrentSnapshot: String
    package var walLsn: String

    package init(pgCurrentSnapshot: String, walLsn: String) {
      self.pgCurrentSnapshot = pgCurrentSnapshot
      self.walLsn = walLsn
    }
  }

  /// What a server must have before this backup can be restored into it.
  package struct Needs: Sendable, Equatable, Codable {
    package var roles: [String]
    package var extensions: [Extension]
    package var tablespaces: [String]

    package init(roles: [String], extensions: [Extension], tablespaces: [String]) {
      self.roles = roles
      self.extensions = extensions
      self.tablespaces = tablespaces
    }

    package struct Extension: Sendable, Equatable, Codable {
      package var name: String
      package var version: String

      package init(name: String, version: String) {
        self.name = name
        self.version = version
      }
    }
  }

  /// Names and checksums of migrations.
  package struct Migrations: Sendable, Equatable, Codable {
    package var applied: [Migration]
    package var pending: [Migration]

    package init(applied: [Migration], pending: [Migration]) {
      self.applied = applied
      self.pending = pending
    }

    package struct Migration: Sendable, Equatable, Codable {
      package var name: String
      package var checksum: String

      package init(name: String, checksum: String) {
        self.name = name
        self.checksum = checksum
      }
    }
  }

  /// The server's counters of writes. Their growth tells how much was written since, as long as they were not reset.
  package struct Activity: Sendable, Equatable, Codable {
    /// When they were reset; nil: never.
    package var since: String?
    package var tables: [Table]

    package init(since: String?, tables: [Table]) {
      self.since = since
      self.tables = tables
    }

    package struct Table: Sendable, Equatable, Codable {
      package var schema: String
      package var name: String
      /// Rows inserted, updated and deleted.
      package var writes: UInt64

      package init(schema: String, name: String, writes: UInt64) {
        self.schema = schema
        self.name = name
        self.writes = writes
      }
    }
  }

  /// A trial of the way back: the schema was restored on the same server, by the same role, and compared.
  package struct WayBack: Sendable, Equatable, Codable {
    package var at: Date
    package var seconds: Double

    package init(at: Date, seconds: Double) {
      self.at = at
      self.seconds = seconds
    }
  }

  package struct Timing: Sendable, Equatable, Codable {
    package var phase: String
    package var seconds: Double

    package init(phase: String, seconds: Double) {
      self.phase = phase
      self.seconds = seconds
    }
  }
}

/// One file of a backup.
package struct StoredFile: Sendable, Equatable, Codable {
  /// Inside the backup's folder, `/` between the parts.
  package var path: String
  /// Size as stored.
  package var bytes: UInt64
  /// SHA-256 of the stored bytes, 64 hexadecimal digits.
  package var sha256: String
  /// Size before compression; nil for a file stored as it was written.
  package var rawBytes: UInt64?
  /// `schema.name` of the table whose rows these are.
  package var table: String?
  /// For a differential backup: the file of the base that this one is a patch against. Always nil in this version.
  package var base: String?

  package init(path: String, bytes: UInt64, sha256: String, rawBytes: UInt64? = nil, table: String? = nil) {
    self.path = path
    self.bytes = bytes
    self.sha256 = sha256
    self.rawBytes = rawBytes
    self.table = table
    base = nil
  }
}

extension Manifest {
  package static func encoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.dateEncodingStrategy = .iso8601
    return encoder
  }

  package static func decoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.dateDecodingStrategy = .iso8601
    return decoder
  }
}
