import Foundation
import TestSupport
import Testing

/// What a bad or unreachable target gets: a name for it, its exit code, no trace of a backup, and no word of the password.
@Suite struct ConnectionTests {
  private let secret = "s3cr:et\\ pass%word"

  @Test func `a wrong password is named, and never printed`() throws {
    try Workbench.with { bench in
      try Roles.makeLocked(bench.cluster, password: secret)
      let wrong = try #require("wr0ng-\(secret)".addingPercentEncoding(withAllowedCharacters: .alphanumerics))
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: "locked", password: wrong))
      let run = try refused(bench, "wrong_password", 77)
      #expect(!run.contains("wr0ng"))
      let check = try bench.holdfast("check", "--json", "--log-level", "debug")
      #expect(check.exit == 2)
      #expect(!(check.stdout + check.stderr).contains("wr0ng"))
    }
  }

  @Test func `the right password is enough for a backup and a restore`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT generate_series(1, 9) a") { bench in
      try Roles.makeLocked(bench.cluster, password: secret)
      try bench.cluster.psql("GRANT pg_read_all_data TO locked")
      let right = try #require(secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: "locked", password: right), more: "backup: {globals: true}")
      let id = try bench.backUp()
      let globals = try String(contentsOfFile: "\(bench.path(of: id))/globals.sql", encoding: .utf8)
      #expect(!globals.contains("SCRAM-SHA-256"))
      for path in try FileManager.default.subpathsOfDirectory(atPath: bench.path(of: id)) {
        let content = FileManager.default.contents(atPath: "\(bench.path(of: id))/\(path)") ?? Data()
        #expect(content.firstRange(of: Data(secret.utf8)) == nil, "\(path)")
      }
    }
  }

  @Test func `libpq's password variables are used where the URL has none, by every program`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT generate_series(1, 9) a") { bench in
      try Roles.makeLocked(bench.cluster, password: secret)
      try bench.cluster.psql("GRANT pg_read_all_data TO locked")
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: "locked"), more: "backup: {globals: false}")
      _ = try refused(bench, "wrong_password", 77)
      let file = "\(bench.folder)/passwords"
      let escaped = secret.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
      try Data("*:*:*:locked:\(escaped)\n".utf8).write(to: URL(fileURLWithPath: file))
      chmod(file, 0o600)
      for environment in [["PGPASSWORD": secret], ["PGPASSFILE": file]] {
        let run = try bench.holdfast("backup", "--log-level", "debug", environment: environment)
        #expect(run.exit == 0, "\(run.stderr)")
        #expect(!run.stderr.contains(secret) && run.stderr.contains("running "), "\(run.stderr)")
      }
    }
  }

  @Test func `what of libpq's environment has no effect is told by check`() throws {
    try Workbench.with { bench in
      let environment = ["PGSSLMODE": "verify-full", "PGHOST": "elsewhere", "PGPASSWORD": "x", "PGAPPNAME": "x"]
      let check = try bench.holdfast("check", "--json", environment: environment)
      // The URL gives a host.
      let warnings = "\(check.json.array("warnings") ?? [])"
      #expect(check.exit == 0 && warnings.contains("PGSSLMODE of the environment has no effect"), "\(warnings)")
    }
  }

  @Test func `an unknown host, a server that is down and a missing database are told apart by their words`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "postgresql://postgres@no-such-host.invalid/x?connect_timeout=3")
      #expect(try refused(bench, "server_unreachable", 69).contains("no-such-host.invalid"))
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x")
      #expect(try refused(bench, "server_unreachable", 69).lowercased().contains("refused"))
      try bench.writePolicy(url: bench.cluster.url("no such database"))
      #expect(try refused(bench, "no_such_database", 69).contains("no such database"))
    }
  }

  @Test func `a server that answers nothing is given up after the connect timeout`() throws {
    try Workbench.with { bench in
      let silent = try SilentServer()
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:\(silent.port)/x?connect_timeout=1")
      let start = Date()
      _ = try refused(bench, "server_unreachable", 69)
      #expect(Date().timeIntervalSince(start) < 9)
    }
  }

  @Test func `a pooler in transaction mode is named, for backups and for restores`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let id = try bench.backUp()
      let pooler = try Pooler(before: bench.cluster)
      try bench.writePolicy(url: pooler.url(bench.database))
      let backup = try bench.holdfast("backup", "--json")
      #expect(backup.exit == 78)
      #expect(backup.json.string("error", "code") == "pooler")
      #expect(bench.shelfContents() == [id])
      let restore = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(restore.json.string("error", "code") == "pooler")
      try bench.writePolicy(url: pooler.url(bench.database), more: "backup: {exclude_table_data: [nothing]}")
      let check = try bench.holdfast("check")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("PgBouncer") && check.stdout.contains("nothing: it matches"))
      #expect(try pooler.psql("SHOW search_path", database: bench.database).contains("public"), "it is as it was")
    }
  }

  @Test func `a standby is backed up, and refused as the target of a restore`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT generate_series(1, 500) a") { bench in
      let standby = try TestCluster(standbyOf: bench.cluster)
      defer { standby.stop() }
      try waitUntil("the standby has the table") {
        (try? standby.psql("SELECT count(*) FROM t", database: bench.database)) == "500"
      }
      try bench.writePolicy(url: standby.url(bench.database))
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 0)
      #expect(check.json.string("warnings", 0, "problem")?.contains("standby") == true)
      let id = try bench.backUp()
      let refused = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(refused.exit == 78)
      #expect(refused.json.string("error", "code") == "standby")
      try bench.writePolicy()
      #expect(try bench.holdfast("restore", id, "--into", bench.newDatabaseName()).exit == 0)
    }
  }

  /// A backup that does not come about.
  ///
  /// - Returns: everything that it printed, as JSON and as text.
  private func refused(_ bench: Workbench, _ code: String, _ exit: Int32) throws -> String {
    let run = try bench.holdfast("backup", "--json", "--log-level", "debug")
    let plain = try bench.holdfast("backup", "--log-level", "debug")
    #expect(run.exit == exit)
    #expect(plain.exit == exit)
    #expect(run.json.string("error", "code") == code)
    #expect(bench.shelfContents().isEmpty)
    let all = run.stdout + run.stderr + plain.stdout + plain.stderr
    #expect(!all.contains(secret))
    return all
  }
}

/// Listens, and says nothing to whoever comes.
private final class SilentServer {
  let port: Int
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let number = descriptor
    let ready = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(number, $0, size) == 0 && listen(number, 8) == 0 && getsockname(number, $0, &size) == 0
      }
    }
    try #require(ready)
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(descriptor) }

  @Test func `check says that it waits, and for how long`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x")
      let run = try bench.holdfast("check", "--wait", "1s")
      #expect(run.exit == 2 && run.stderr == "waiting for 127.0.0.1:1 (up to 1 s)\n", "\(run.stderr)")
      #expect(try bench.holdfast("check", "--wait", "1s", "--quiet").stderr.isEmpty)
      try bench.writePolicy()
      #expect(try bench.holdfast("check", "--wait", "1s").stderr.isEmpty)
    }
  }
}
