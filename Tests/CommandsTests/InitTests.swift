import Foundation
import TestSupport
import Testing

/// `holdfast init` in a project's folder, as a newcomer runs it.
@Suite struct InitTests {
  private static let table = "CREATE TABLE t AS SELECT generate_series(1, 5) AS a"

  /// Where a project's DATABASE_URL may stand.
  @Test(arguments: ["the environment", ".env", "prisma/.env"])
  func `it finds the database, writes a policy, and prints commands that work as they are`(origin: String) throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let url = "\(bench.cluster.url(bench.database))?schema=public"
      let environment = origin == "the environment" ? ["DATABASE_URL": url] : [:]
      if environment.isEmpty {
        try write("# secrets\nexport DATABASE_URL=\"\(url)\" # the main one\n", "\(project)/\(origin)")
      }
      let run = try bench.holdfast(in: project, ["init"], environment: environment)
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.stdout.contains("DATABASE_URL comes from \(origin): database \(bench.database)"))
      #expect(run.stdout.contains("prisma/migrations"))
      let audit = try String(contentsOfFile: "\(project)/backups/audit.jsonl", encoding: .utf8)
      #expect(audit.contains("\"command\":\"init\""), "\(audit)")
      try runNextCommands(run, bench, project, environment)
    }
  }

  @Test(arguments: ["../evil", "a b", "pröd", ".x", "-x", ""]) func `a name that no folder can have is refused`(
    name: String
  ) throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let before = try FileManager.default.subpathsOfDirectory(atPath: bench.folder)
      let run = try bench.holdfast(
        in: project, ["init", "--name=\(name)"], environment: ["DATABASE_URL": bench.cluster.url(bench.database)])
      #expect(run.exit == 64, "\(run.stderr)")
      #expect(try FileManager.default.subpathsOfDirectory(atPath: bench.folder) == before)
    }
  }

  @Test func `with a folder of policies elsewhere the printed commands name it`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      let run = try bench.holdfast(
        in: project, ["init", "--policies", "ops/our policies", "--name", "main"], environment: environment)
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      try runNextCommands(run, bench, project, environment, copy: "main_copy")
      #expect(access("\(project)/ops/backups/main", F_OK) == 0)
    }
  }

  @Test func `beside other policies the printed commands still mean this one`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      #expect(try bench.holdfast(in: project, ["init", "--name", "first"], environment: environment).exit == 0)
      #expect(try bench.holdfast(in: project, ["backup", "first"], environment: environment).exit == 0)
      let run = try bench.holdfast(in: project, ["init"], environment: environment)
      try runNextCommands(run, bench, project, environment)
    }
  }

  @Test func `a project's file that means another database is told`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      try write("DATABASE_URL=\(bench.cluster.url("postgres"))\n", "\(project)/.env")
      let url = bench.cluster.url(bench.database)
      let run = try bench.holdfast(in: project, ["init"], environment: ["DATABASE_URL": url])
      #expect(run.exit == 0 && run.stderr.contains("warning: .env has another DATABASE_URL"), "\(run.stderr)")
      try FileManager.default.removeItem(atPath: "\(project)/policies")
      #expect(try !bench.holdfast(in: project, ["init"]).stderr.contains("another DATABASE_URL"))
    }
  }

  @Test func `nothing that exists is overwritten`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      #expect(try bench.holdfast(in: project, ["init", "--name", "x"], environment: environment).exit == 0)
      let marker = try String(contentsOfFile: "\(project)/backups/holdfast.json", encoding: .utf8)
      try write("mine\n", "\(project)/policies/x.yaml")
      let again = try bench.holdfast(in: project, ["init", "--name", "x", "--json"], environment: environment)
      #expect(again.exit == 73)
      #expect(again.json.string("error", "code") == "cannot_write")
      #expect(try String(contentsOfFile: "\(project)/policies/x.yaml", encoding: .utf8) == "mine\n")
      #expect(try bench.holdfast(in: project, ["init", "--name", "y"], environment: environment).exit == 0)
      #expect(try String(contentsOfFile: "\(project)/backups/holdfast.json", encoding: .utf8) == marker)
    }
  }

  @Test func `without a database to be found it says where it looked, and writes nothing`() throws {
    try Workbench.with { bench in
      let project = try makeProject(bench)
      for (url, code) in [("", "no_database_url"), ("mysql://x/y", "bad_database_url")] {
        let run = try bench.holdfast(in: project, ["init", "--json"], environment: ["DATABASE_URL": url])
        #expect(run.exit == 78)
        #expect(run.json.string("error", "code") == code)
      }
      #expect(access("\(project)/policies", F_OK) != 0)
    }
  }

  @Test func `a check that finds problems is 2, and the policy stays to be mended`() throws {
    try Workbench.with { bench in
      let project = try makeProject(bench)
      let secret = "hidden%2Dsecret"
      let run = try bench.holdfast(
        in: project, ["init", "--name", "down", "--json"],
        environment: ["DATABASE_URL": "postgresql://u:\(secret)@127.0.0.1:1/db"])
      #expect(run.exit == 2)
      #expect(run.json.flag("check", "ok") == false)
      #expect(run.json.array("next") as? [String] == ["holdfast check down"])
      let policy = try String(contentsOfFile: "\(project)/policies/down.yaml", encoding: .utf8)
      #expect(policy.contains("${DATABASE_URL}"))
      #expect(!(policy + run.stdout + run.stderr).contains("hidden"))
    }
  }

  @Test func `the backups are hidden from git, wherever they lie`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      let run = try bench.holdfast(in: project, ["init"], environment: environment)
      #expect(run.stdout.contains(".gitignore"), "\(run.stdout)")
      #expect(try String(contentsOfFile: "\(project)/backups/.gitignore", encoding: .utf8) == "*\n")
      try runNextCommands(run, bench, project, environment)
    }
  }

  @Test func `a policy can be read by those whom its user's umask lets`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      var command = ProgramRun.command(
        ["-C", project, "/bin/sh", "-c", "umask 022; exec '\(SourceTree.program)' init --name x"],
        ["DATABASE_URL": bench.cluster.url(bench.database)])
      command.executable = "/usr/bin/env"
      #expect(try ProgramRun(running: command).exit == 0)
      for (path, mode) in [("policies", 0o755), ("policies/x.yaml", 0o644), ("backups", 0o700)] as [(String, mode_t)] {
        var status = stat()
        #expect(stat("\(project)/\(path)", &status) == 0 && status.st_mode & 0o777 == mode, "\(path)")
      }
    }
  }

  @Test func `what Prisma's migrations use is taken where a direct URL stands beside`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let direct = bench.cluster.url(bench.database)
      try write("DATABASE_URL=postgresql://u@127.0.0.1:1/pooled\nDIRECT_URL=\(direct)\n", "\(project)/.env")
      let run = try bench.holdfast(in: project, ["init"])
      #expect(run.exit == 0 && run.stdout.contains("DIRECT_URL comes from .env"), "\(run.stdout)\(run.stderr)")
      let policy = try String(contentsOfFile: "\(project)/policies/\(bench.database).yaml", encoding: .utf8)
      #expect(policy.contains("url: ${DIRECT_URL}"))
      // By the name that the schema gives it.
      try write(
        "datasource db {\n  url = env(\"APP_DB\")\n  directUrl = env(\"APP_DB_DIRECT\")\n}\n",
        "\(project)/prisma/schema.prisma")
      let named = try bench.holdfast(
        in: project, ["init", "--name", "y"],
        environment: ["APP_DB": "postgresql://u@127.0.0.1:1/pooled", "APP_DB_DIRECT": direct])
      #expect(named.stdout.contains("APP_DB_DIRECT comes from the environment"), "\(named.stdout)\(named.stderr)")
      #expect(named.stderr.contains("policy \(bench.database) is of the same database already"), "\(named.stderr)")
    }
  }

  @Test func `a folder of migrations is found without a schema, and named where a policy has none`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      try FileManager.default.removeItem(atPath: "\(project)/prisma/schema.prisma")
      try FileManager.default.createDirectory(
        atPath: "\(project)/prisma/migrations", withIntermediateDirectories: true)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      // An empty folder may be anything.
      let without = try bench.holdfast(in: project, ["init", "--name", "a"], environment: environment)
      #expect(without.exit == 0 && !without.stdout.contains("prisma/migrations"), "\(without.stdout)")
      let deploy = try bench.holdfast(in: project, ["deploy", "a"], environment: environment)
      #expect(deploy.exit == 78 && deploy.stderr.contains("for example to ../prisma/migrations\n"), "\(deploy.stderr)")
      try write("provider = \"postgresql\"\n", "\(project)/prisma/migrations/migration_lock.toml")
      let with = try bench.holdfast(in: project, ["init", "--name", "b"], environment: environment)
      #expect(with.exit == 0 && with.stdout.contains("migrations in prisma/migrations"), "\(with.stdout)")
    }
  }

  @Test func `a variable that is set and empty is told, and nothing is written`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let url = bench.cluster.url(bench.database)
      try write("DATABASE_URL=\(url)\n", "\(project)/.env")
      let run = try bench.holdfast(in: project, ["init"], environment: ["DATABASE_URL": ""])
      #expect(run.exit == 78, "\(run.stdout)")
      #expect(run.stderr.contains("DATABASE_URL is set in the environment, and empty\n"), "\(run.stderr)")
      #expect(run.stderr.contains("hint: unset DATABASE_URL, or give it a value"), "\(run.stderr)")
      try write("DATABASE_URL=\n", "\(project)/.env")
      try write("DATABASE_URL=\(url)\n", "\(project)/prisma/.env")
      let file = try bench.holdfast(in: project, ["init"])
      #expect(file.exit == 78 && file.stderr.contains("is set in .env, and empty"), "\(file.stderr)")
      #expect(access("\(project)/policies", F_OK) != 0 && access("\(project)/backups", F_OK) != 0)
    }
  }

  @Test func `a missing variable is told with the file that may hold it, and why that cannot be read`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let project = try makeProject(bench)
      let environment = ["DATABASE_URL": bench.cluster.url(bench.database)]
      #expect(try bench.holdfast(in: project, ["init"], environment: environment).exit == 0)
      let missing = try bench.holdfast(in: project, ["check"])
      let env = "\(project)/.env"
      #expect(
        missing.exit == 78 && missing.stderr.contains("in the environment or in \(env), then"), "\(missing.stderr)")
      // Root can read whatever has any mode.
      try FileManager.default.createDirectory(atPath: env, withIntermediateDirectories: true)
      let unreadable = try bench.holdfast(in: project, ["check"])
      #expect(unreadable.stderr.contains("\(env) cannot be read: "), "\(unreadable.stderr)")
      #expect(try bench.holdfast(in: project, ["init"]).stderr.contains(".env cannot be read: "))
    }
  }

  /// Runs the three commands that `init` printed, in the same shell's folder and environment.
  private func runNextCommands(
    _ run: ProgramRun, _ bench: Workbench, _ project: String, _ environment: [String: String], copy: String? = nil
  ) throws {
    let lines = run.stdout.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { $0.hasPrefix("holdfast ") }
    #expect(lines.count == 3)
    let made = copy ?? bench.newDatabaseName()
    defer { _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \"\(made)\"") }
    for line in lines {
      var command = ProgramRun.command(["-C", project, "/bin/sh", "-c", line], environment)
      command.executable = "/usr/bin/env"
      let folder = (SourceTree.program as NSString).deletingLastPathComponent
      command.environment["PATH"] = "\(folder):/usr/bin:/bin"
      let next = try ProgramRun(running: command)
      #expect(next.exit == 0, "\(line): \(next.stdout)\(next.stderr)")
    }
    #expect(try bench.cluster.psql("SELECT count(*) FROM t", database: made) == "5")
  }

  private func makeProject(_ bench: Workbench) throws -> String {
    let project = "\(bench.folder)/project"
    try FileManager.default.createDirectory(atPath: "\(project)/prisma", withIntermediateDirectories: true)
    try write("datasource db { provider = \"postgresql\" }\n", "\(project)/prisma/schema.prisma")
    return project
  }

  private func write(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }
}
