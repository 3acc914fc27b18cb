import Foundation

/// What the real Prisma CLI did in one situation; the README of Tests/Fixtures/golden describes the format.
package struct GoldenCase: Decodable, Sendable {
  package var name: String
  package var steps: [Step]

  package enum Step: Decodable, Sendable {
    /// Written below the migrations folder; nil: removed.
    case files([String: String?])
    case sql(String)
    /// Prisma's `?schema=` from here on.
    case schema(String)
    case run(Command)

    private enum Keys: String, CodingKey { case files, sql, schema }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      if let files = try container.decodeIfPresent([String: String?].self, forKey: .files) {
        self = .files(files)
      } else if let sql = try container.decodeIfPresent(String.self, forKey: .sql) {
        self = .sql(sql)
      } else if let schema = try container.decodeIfPresent(String.self, forKey: .schema) {
        self = .schema(schema)
      } else {
        self = .run(try Command(from: decoder))
      }
    }
  }

  /// A command of the CLI and what came of it.
  package struct Command: Decodable, Sendable {
    package var run: [String]
    package var step: Int
    package var exit: Int32
    package var stdout: String
    package var stderr: String
    /// The history afterwards; nil: there is no table.
    package var rows: [GoldenRow]?
  }

  // MARK: Files

  private static let folder = "\(SourceTree.path)/Tests/Fixtures/golden/cases"

  package static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

  package init(named name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/\(name)/case.json"))
    self = try JSONDecoder().decode(GoldenCase.self, from: data)
  }

  /// The whole database after a step, as SQL.
  package func state(after step: Int) -> String { "\(Self.folder)/\(name)/after-\(step).sql" }
}

/// A row of the history, without what differs from run to run.
package struct GoldenRow: Codable, Equatable, Sendable {
  package var name: String
  package var checksum: String
  package var steps: Int
  package var isFinished: Bool
  package var isRolledBack: Bool
  package var startedEqualsFinished: Bool
  /// nil, empty, or `text`.
  package var logs: String?
  package var idLength: Int

  /// A row as `migrate deploy` begins it.
  package init(begun name: String, checksum: String) {
    self.name = name
    self.checksum = checksum
    (steps, isFinished, isRolledBack, startedEqualsFinished, logs, idLength) = (0, false, false, false, nil, 36)
  }

  package var isApplied: Bool { isFinished && !isRolledBack }
  package var isFailed: Bool { !isFinished && !isRolledBack }

  private enum CodingKeys: String, CodingKey {
    case name = "migration_name"
    case checksum
    case steps = "applied_steps_count"
    case isFinished = "finished"
    case isRolledBack = "rolled_back"
    case startedEqualsFinished = "started_equals_finished"
    case logs
    case idLength = "id_length"
  }
}

extension TestCluster {
  /// The history of a database, read by a program that knows nothing of Holdfast.
  ///
  /// - Returns: nil when there is no table.
  package func historyRows(_ database: String, schema: String = "public") throws -> [GoldenRow]? {
    guard try psql("SELECT to_regclass('\(schema)._prisma_migrations') IS NOT NULL", database: database) == "t" else {
      return nil
    }
    let text = try psql(
      """
      SELECT coalesce(json_agg(json_build_object(
        'migration_name', migration_name, 'checksum', checksum, 'applied_steps_count', applied_steps_count,
        'finished', finished_at IS NOT NULL, 'rolled_back', rolled_back_at IS NOT NULL,
        'started_equals_finished', started_at IS NOT DISTINCT FROM finished_at,
        'logs', CASE logs WHEN '' THEN '' ELSE left(logs, 0) || 'text' END,
        'id_length', length(id)) ORDER BY started_at), '[]') FROM \(schema)._prisma_migrations
      """, database: database)
    return try JSONDecoder().decode([GoldenRow].self, from: Data(text.utf8))
  }
}
