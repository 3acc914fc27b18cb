import Diagnostics
import PostgresTools
import StreamPipeline

/// The end of every restore: materialized views are filled, sequences set again, event triggers made.
struct RestoreEnding {
  let pool: SessionPool
  let builds: PathBuilds
  let surroundings: Surroundings

  /// - Returns: the statements of materialized views that could not be filled. Their content is no part of a dump.
  func run(_ held: HeldStatements, isTolerant: Bool) throws(Failure) -> (unfilled: [[UInt8]], shortfalls: [Shortfall]) {
    let unfilled = try fill(held.refreshes)
    try rebuildIndexes()
    for (statement, failure) in unfilled {
      surroundings.log.warning("a materialized view is empty: \(DumpedStatement.line(of: statement)): \(failure.why)")
    }
    let shortfalls = try pool.with { (session) throws(Failure) -> [Shortfall] in
      let dump = DumpSession(session: session, builds: builds)
      // Checks, indexes and the queries of materialized views may have called nextval(). Who may not set a sequence did not advance it
      // either; the comparison looks.
      let called = held.refreshes.isEmpty ? try Self.callsFunctions(session) : true
      if called {
        for statement in held.sequences { _ = try dump.run(statement) }
      }
      return try makeEventTriggers(held.eventTriggers, dump, isTolerant: isTolerant)
    }
    return (unfilled.map(\.statement), shortfalls)
  }

  /// Whether functions that somebody made are behind checks, indexes, statistics or generated columns: the server calls them when rows are
  /// loaded and analyzed.
  static func callsFunctions(_ session: Session) throws(Failure) -> Bool {
    try !session.query(
      """
      SELECT FROM pg_catalog.pg_depend d WHERE d.refobjid >= 16384
        AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
        AND (d.classid IN ('pg_catalog.pg_constraint'::pg_catalog.regclass,
            'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, 'pg_catalog.pg_class'::pg_catalog.regclass)
          OR d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid IN (
            SELECT e.oid FROM pg_catalog.pg_attrdef e JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid
              AND a.attnum = e.adnum WHERE a.attgenerated <> ''))
      LIMIT 1
      """
    ).isEmpty
  }

  /// Builds indexes once more whose functions may have answered otherwise under the empty path, without an error: a query would not find
  /// their rows. From 17 on the server builds every index under a path of its own.
  private func rebuildIndexes() throws(Failure) {
    let indexes = try pool.with { (session) throws(Failure) -> [String] in
      guard session.serverVersion < 170_000 else { return [] }
      return try session.query(Self.indexesByPath).compactMap { $0.first ?? nil }
    }
    _ = try inParallel(indexes, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (index) throws(Failure) in
      // One that no path suits is as pg_restore makes it.
      if let error = try builds.runOptional("REINDEX INDEX \(index)") {
        surroundings.log.info("index \(index) is as it was built under an empty search path: \(error.message)")
      }
    }
  }

  /// Those that call a function in SQL or a procedural language, which has no search path of its own.
  private static let indexesByPath = """
    SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'i' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND i.indisvalid
    LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.refobjid
    JOIN pg_catalog.pg_proc f ON f.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.refobjid
      ELSE o.oprcode END
    JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND f.oid >= 16384
      AND l.lanname NOT IN ('internal', 'c') AND f.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(f.proconfig) s WHERE pg_catalog.starts_with(s, 'search_path='))
    """

  /// pg_dump does not see what a function reads: a view whose query fails is tried again once others are filled, as long as that helps.
  func fill(_ statements: [[UInt8]]) throws(Failure) -> [(statement: [UInt8], failure: Failure)] {
    var waiting = statements
    while !waiting.isEmpty {
      let failures = try inParallel(waiting, threads: surroundings.cores, cancellation: surroundings.cancellation) {
        (statement) throws(Failure) in
        try builds.run(statement)
      }
      let left = zip(waiting, failures).filter { $0.1 != nil }
      if left.count == waiting.count { return left.compactMap { one in one.1.map { (one.0, $0) } } }
      waiting = left.map(\.0)
    }
    return []
  }

  private func makeEventTriggers(
    _ statements: [[UInt8]], _ dump: DumpSession, isTolerant: Bool
  ) throws(Failure) -> [Shortfall] {
    var shortfalls: [Shortfall] = []
    for statement in statements {
      guard let failure = try dump.run(statement) else { continue }
      guard isTolerant else { throw failure.ofUnrestorableObject }
      shortfalls.append(Shortfall(statement: statement, replacements: [], why: failure.why))
    }
    return shortfalls
  }
}
