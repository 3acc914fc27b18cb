import BackupModel
import BackupRepository
import Foundation
import TestSupport
import Testing

/// Whoever can write to the repository can write a journal: no name in one makes Holdfast touch a database that is not its own.
@Suite struct ForgedJournalTests {
  private static let name = "20240201000000_more"

  private func withVictim(_ body: (DeployBench, _ victim: String, DeployJournal) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      _ = try bench.copy("victim")
      let victim = "\(bench.database)_victim"
      let id = try #require(try bench.deploys().first?.id)
      let repository = try Repository.open(bench.bench.repository)
      try body(bench, victim, try DeployJournal(repository, policy: "app", id: id))
      #expect(try bench.psql("SELECT count(*) FROM customers", database: victim) == "40", "the victim is as it was")
    }
  }

  @Test(arguments: ["abandon", "resume"]) func `a rollback that is said to restore into another database drops none`(
    command: String
  ) throws {
    try withVictim { bench, victim, journal in
      let backup = try #require(try bench.deploys().first?.backup)
      try journal.append(
        DeployEvent(.rollbackBegan, at: Date(), backup: backup, database: bench.database, temporary: victim))
      let run = try bench.confirmed(command)
      #expect(run.exit == 65, "\(run.stdout)")
      #expect(run.json.string("error", "code") == "foreign_journal")
    }
  }

  @Test func `another database is not put live by an undo`() throws {
    try withVictim { bench, victim, journal in
      let backup = try #require(try bench.deploys().first?.backup)
      for event in [
        DeployEvent(
          .rollbackBegan, at: Date(), backup: backup, database: bench.database,
          temporary: "\(bench.database)__restore_\(journal.id.suffix(6))"),
        DeployEvent(.swapping, at: Date(), identity: "1", keptAs: victim), DeployEvent(.swapped, at: Date()),
        DeployEvent(.rolledBack, at: Date()),
      ] { try journal.append(event) }
      let run = try bench.confirmed("undo")
      #expect(run.exit == 65 && run.json.string("error", "code") == "foreign_journal", "\(run.stdout)")
      #expect(try bench.run("status", "--json").json.array("kept")?.isEmpty == true)
    }
  }

  @Test func `a database that is said to be a copy of a deploy is dropped by no deploy`() throws {
    try withVictim { bench, victim, journal in
      let identity = try bench.maintain(
        """
        SELECT d.oid || ' ' || pg_stat_get_db_sessions(d.oid) || ' ' || pg_stat_get_db_active_time(d.oid)
          || ' ' || md5(ROW(d.datdba, d.datacl, d.datconnlimit, d.datistemplate, d.dattablespace,
            shobj_description(d.oid, 'pg_database'),
            ARRAY(SELECT s.setrole || s.setconfig::text FROM pg_db_role_setting s WHERE s.setdatabase = d.oid ORDER BY 1))::text)
        FROM pg_database d WHERE d.datname = '\(victim)'
        """)
      try bench.maintain("ALTER DATABASE \"\(victim)\" ALLOW_CONNECTIONS false")
      try journal.append(DeployEvent(.copying, at: Date(), temporary: victim))
      try journal.append(DeployEvent(.copied, at: Date(), temporary: victim, identity: identity))
      try bench.deploy("20240301000000_later", "CREATE TABLE later (a int);")
      try bench.maintain("ALTER DATABASE \"\(victim)\" ALLOW_CONNECTIONS true")
    }
  }

  /// Where a journal may name the database: as a copy that is being made, as one that was made, as what is being restored.
  enum Place: CaseIterable { case copying, copied, restore }

  @Test(arguments: Place.allCases) func `what a rollback has kept is dropped by no journal`(place: Place) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      let kept = try #require(try bench.databases().first { $0.contains("__before_") })
      let record = try #require(try bench.deploys().first)
      let repository = try Repository.open(bench.bench.repository)
      let oid = try bench.maintain("SELECT oid FROM pg_database WHERE datname = '\(kept)'")
      // Another deploy whose id ends alike, or this one.
      let forged = place == .copying ? "20991231T000000Z-\(record.id.suffix(6))" : record.id
      let journal = try DeployJournal(repository, policy: "app", id: forged)
      var events = [
        DeployEvent(.began, at: Date(), migrations: ["x"], database: bench.database),
        DeployEvent(.copying, at: Date(), temporary: kept),
      ]
      if place != .copying {
        events = [
          DeployEvent(
            .rollbackBegan, at: Date(), backup: record.backup, database: bench.database, temporary: kept)
        ]
      }
      if place == .copied {
        events.insert(DeployEvent(.copied, at: Date(), temporary: kept, identity: "\(oid) 1 1 x"), at: 0)
      }
      for event in events { try journal.append(event) }
      let run = try bench.confirmed("abandon")
      #expect(place != .copying || run.json.string("error", "code") == "foreign_journal", "\(place): \(run.stdout)")
      _ = try bench.confirmed("resume")
      #expect(try bench.maintain("SELECT oid FROM pg_database WHERE datname = '\(kept)'") == oid, "\(place)")
    }
  }

  @Test func `journals behind a link are neither read nor written`() throws {
    try DeployBench.with { bench in
      let (folder, elsewhere) = ("\(bench.bench.shelf)/deploys", "\(bench.bench.folder)/elsewhere")
      try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: bench.bench.shelf, withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(atPath: folder, withDestinationPath: elsewhere)
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      for command in ["deploy", "status"] {
        let run = try bench.run(command, "--json")
        #expect(run.exit == 65 && run.json.string("error", "code") == "foreign_folder", "\(command): \(run.stdout)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere).isEmpty)
    }
  }

  @Test func `the mark of an unfinished restore drops no database that has another name, and is carried nowhere`()
    throws
  {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let mark = DatabaseProperties.unfinishedComment
      try bench.cluster.psql("COMMENT ON DATABASE \"\(bench.database)\" IS '\(mark)'")
      let (copy, next) = (bench.newDatabaseName("marked"), bench.newDatabaseName("next"))
      try bench.restore(try bench.backUp(), into: copy)
      try bench.restore(try bench.backUp(), into: next)
      let marked =
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') = '\(mark)' AND datname LIKE '\(bench.database)%'"
      #expect(try bench.cluster.psql(marked) == bench.database)
      #expect(try bench.cluster.databases().contains(copy))
    }
  }

  @Test func `a database with the name and the marks of an unfinished restore is kept where Holdfast did not make it`()
    throws
  {
    // Of its own: others make databases, and look for such, at the same time.
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, sql: "CREATE TABLE t (a int)") { bench in
      let precious = bench.newDatabaseName("x__restore_1a2b3c")
      let empty = bench.newDatabaseName("y__restore_1a2b3c")
      for name in [precious, empty] {
        try bench.cluster.psql(
          "CREATE DATABASE \"\(name)\" TEMPLATE template0 CONNECTION LIMIT \(DatabaseProperties.unfinishedLimit)")
        try bench.cluster.psql("COMMENT ON DATABASE \"\(name)\" IS '\(DatabaseProperties.unfinishedComment)'")
      }
      try bench.cluster.psql("CREATE TABLE precious (a int)", database: precious)
      let id = try bench.backUp()
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName())
      #expect(
        run.exit == 0 && run.stderr.contains("\(precious) has the name of an unfinished restore"), "\(run.stderr)")
      #expect(try bench.cluster.databases().contains(precious))
      #expect(try !bench.cluster.databases().contains(empty), "what a run left that was killed before its record")
      // What was restored bears no record, which the next run would take for its own.
      #expect(
        try bench.cluster.psql("SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%holdfast makes%'")
          == "0")
    }
  }

  @Test func `what an interrupted rollback had restored is not dropped once somebody has opened it`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      try bench.run("deploy")
      try bench.killing("rollback", at: [CrashPoint(lines: 1, isWritten: true)]) { _ in
        let copy = try #require(try bench.databases().first { $0.contains("__restore_") })
        try bench.maintain("ALTER DATABASE \"\(copy)\" ALLOW_CONNECTIONS true")
        try bench.psql("CREATE TABLE precious ()", database: copy)
        let run = try bench.confirmed("abandon")
        #expect(run.exit == 0 && run.stderr.contains("it is kept"), "\(run.stdout)\(run.stderr)")
        #expect(try bench.psql("SELECT to_regclass('precious')", database: copy) == "precious")
        #expect(try bench.run("status", "--json").json.string("kept", 0, "database") == copy)
        bench.dropCopies()
      }
    }
  }
}
