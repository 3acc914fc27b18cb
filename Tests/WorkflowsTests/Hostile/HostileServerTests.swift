import Foundation
import PostgresTools
import TestSupport
import Testing

/// A server that is not what it seems: every command ends, within its limits, with a documented exit code, and keeps nothing without an end.
@Suite struct HostileServerTests {
  @Test(arguments: [
    (HostileServer.Manner.silentAfterLogin, "server_timeout"), (.endlessNotices, "server_timeout"),
    (.endlessRows, "server_answer_too_large"), (.hangsUpAfterLogin, "connection_lost"), (.wrongAnswers, "odd_server"),
    (.hangsUpAtOnce, "server_unreachable"), (.silentAtOnce, "server_unreachable"),
  ])
  func `it is told what is wrong with the server`(manner: HostileServer.Manner, code: String) throws {
    try Workbench.with { bench in
      let server = try HostileServer(manner)
      defer { server.stop() }
      try bench.writePolicy(url: "postgresql://u:p@127.0.0.1:\(server.port)/app?sslmode=disable")
      let run = try bench.holdfast("backup", "--json", environment: ["HOLDFAST_QUERY_SECONDS": "2"])
      #expect(run.exit == 69 && run.json.string("error", "code") == code, "\(manner): \(run.stdout)\(run.stderr)")
    }
  }

  @Test func `what nobody has asked for is not kept`() throws {
    try Workbench.with { bench in
      let server = try HostileServer(.endlessNotifications)
      defer { server.stop() }
      try bench.writePolicy(url: "postgresql://u:p@127.0.0.1:\(server.port)/app?sslmode=disable")
      let run = try ChildProcess(
        starting: ProgramRun.command(["backup", "--policies", bench.policies], ["HOLDFAST_QUERY_SECONDS": "8"]),
        capturesOutput: false)
      let (exit, bytes) = try PeakMemory(of: run.pid).whileRunning { try run.end() }
      #expect(exit.code == 69 && bytes < 150 << 20, "\(exit.code), \(bytes >> 20) MiB")
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `a dump to which the server says nothing more ends`(format: String) throws {
    try Workbench.with { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", by: "exec sleep 600")
      try bench.writePolicy(more: "\(tools.policy)\nbackup: {format: \(format)}")
      let start = Date()
      let run = try bench.holdfast("backup", "--json", environment: ["HOLDFAST_SILENCE_SECONDS": "2"])
      #expect(run.exit == 69 && run.json.string("error", "code") == "server_timeout", "\(run.stdout)\(run.stderr)")
      #expect(Date().timeIntervalSince(start) < 60)
    }
  }

  /// The dump of a schema before a deploy, that of the roles, and that which a restore is compared with.
  @Test(arguments: ["--schema-only", "--globals-only", "__restore_"])
  func `so does any other of its programs`(which: String) throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let id = try bench.backUp()
      let tools = try FakeTools(on: bench)
      for tool in ["pg_dump", "pg_dumpall"] {
        try tools.replace(tool, by: "case \"$*\" in *\(which)*) exec sleep 600;; esac; exec \"$real\" \"$@\"")
      }
      try bench.writePolicy(more: tools.policy)
      let commands = [
        "--schema-only": ["check", "--deep"], "--globals-only": ["backup"],
        "__restore_": ["restore", id, "--into", bench.newDatabaseName()],
      ]
      let words = try #require(commands[which]) + ["--json", "--policies", bench.policies]
      let start = Date()
      let run = try ProgramRun(running: ProgramRun.command(words, ["HOLDFAST_SILENCE_SECONDS": "2"]))
      #expect(run.exit != 0 && run.stdout.contains("the server has sent nothing for 2 s"), "\(run.stdout)\(run.stderr)")
      #expect(Date().timeIntervalSince(start) < 60)
    }
  }

  @Test(arguments: ["custom", "directory"])
  func `a restore to whose statement the server says nothing more ends`(format: String) throws {
    let sql = """
      CREATE TABLE t AS SELECT 1 AS a;
      CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        IF pg_catalog.current_database() LIKE '%restore%' THEN PERFORM pg_catalog.pg_sleep(600); END IF; RETURN $1; END $$;
      CREATE INDEX ON t (slow(a))
      """
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let id = try bench.backUp()
      let run = try bench.holdfast(
        "restore", id, "--into", bench.newDatabaseName(), "--json", environment: ["HOLDFAST_SILENCE_SECONDS": "2"])
      #expect(run.exit == 69 && run.json.string("error", "code") == "server_timeout", "\(run.stdout)\(run.stderr)")
      #expect(run.json.string("error", "why")?.contains(" 2 s") == true, "\(run.stdout)")
      let left =
        "SELECT count(*) FROM pg_database WHERE datname LIKE '__restore_%' AND datname LIKE '%\(bench.database)%'"
      #expect(try eventually { try bench.cluster.psql(left) == "0" })
    }
  }

  @Test func `so does one whose server stands still while rows are loaded`() throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, sql: "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 2000000) g") {
      bench in
      let id = try bench.backUp()
      let words = ["restore", id, "--into", bench.newDatabaseName(), "--json", "--policies", bench.policies]
      let run = try ChildProcess(
        starting: ProgramRun.command(words, ["HOLDFAST_SILENCE_SECONDS": "2", "HOLDFAST_QUERY_SECONDS": "2"]),
        capturesOutput: false)
      try waitUntil("it loads") {
        try cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname <> 'postgres'")
          != "0"
      }
      let exit = try cluster.freeze { try run.end() }
      #expect(exit.code == 69, "\(exit.code) \(exit.standardError)")
    }
  }

  @Test(arguments: HostileServer.Manner.allCases) func `every command ends`(manner: HostileServer.Manner) throws {
    try Workbench.with { bench in
      let id = try bench.backUp()
      let server = try HostileServer(manner)
      defer { server.stop() }
      try FileManager.default.createDirectory(atPath: "\(bench.folder)/m", withIntermediateDirectories: true)
      try bench.writePolicy(
        url: "postgresql://u:p@127.0.0.1:\(server.port)/app?sslmode=disable", more: "migrations: {directory: ../m}")
      for command in [
        ["check"], ["check", "--deep"], ["backup"], ["status"], ["migrations"], ["restore", id, "--into", "x"],
        ["restore", id, "--swap", "--confirm", "app"], ["deploy"], ["snapshot"], ["rollback", "--plan"], ["undo"],
        ["baseline", "--all"], ["resolve", "x", "--applied"],
      ] {
        let line = "ulimit -v 3000000; exec \"$0\" \"$@\""
        var run = ProgramRun.command(
          ["/bin/bash", "-c", line, SourceTree.program] + command + ["--policies", bench.policies],
          ["HOLDFAST_QUERY_SECONDS": "1"])
        run.executable = "/usr/bin/env"
        let start = Date()
        let result = try ProgramRun(running: run)
        let seconds = Date().timeIntervalSince(start)
        #expect(
          [1, 2, 64, 65, 66, 69, 77, 78].contains(result.exit), "\(manner) \(command): \(result.exit) \(result.stderr)")
        #expect(seconds < 60, "\(manner) \(command): \(seconds) s")
      }
    }
  }
}

/// Speaks as much of PostgreSQL's protocol as lets a client log in.
final class HostileServer: @unchecked Sendable {
  enum Manner: CaseIterable, Sendable {
    case hangsUpAtOnce, silentAtOnce, silentAfterLogin, hangsUpAfterLogin, endlessRows, endlessNotices, hugeMessage,
      endlessNotifications,
      garbage
    case wrongAnswers
  }

  let port: UInt16
  private let listener: Int32
  private let manner: Manner
  private let lock = NSLock()
  private var isStopped = false

  init(_ manner: Manner) throws {
    self.manner = manner
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 50) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(bound)
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        Thread.detachNewThread { [self] in
          serve(client)
          close(client)
        }
      }
    }
  }

  func stop() {
    lock.withLock { isStopped = true }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private var goesOn: Bool { lock.withLock { !isStopped } }

  private func message(_ type: String, _ body: [UInt8]) -> [UInt8] {
    let length = UInt32(body.count + 4)
    return Array(type.utf8) + withUnsafeBytes(of: length.bigEndian) { Array($0) } + body
  }

  private func text(_ words: String) -> [UInt8] { Array(words.utf8) + [0] }

  /// - Returns: false when the client is gone.
  private func put(_ bytes: [UInt8], to client: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private func take(from client: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(client, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer[..<count]) : nil
  }

  private func serve(_ client: Int32) {
    if manner == .hangsUpAtOnce { return }
    guard take(from: client) != nil else { return }
    if manner == .silentAtOnce { return wait(client) }
    let login =
      message("R", [0, 0, 0, 0]) + message("S", text("server_version") + text("15.18"))
      + message("S", text("client_encoding") + text("UTF8")) + message("K", [0, 0, 0, 1, 0, 0, 0, 2])
      + message("Z", Array("I".utf8))
    guard put(login, to: client) else { return }
    switch manner {
    case .silentAfterLogin: wait(client)
    case .hangsUpAfterLogin: _ = take(from: client)
    case .garbage:
      _ = take(from: client)
      _ = put((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 37) }, to: client)
    case .endlessNotices:
      _ = take(from: client)
      let notice = message("N", text("SNOTICE") + text("C00000") + text("Mhello") + [0])
      let many = Array(repeating: notice, count: 500).flatMap { $0 }
      while goesOn, put(many, to: client) {}
    case .endlessNotifications:
      _ = take(from: client)
      let notification = message("A", [0, 0, 0, 1] + text("channel") + text("payload"))
      let many = Array(repeating: notification, count: 500).flatMap { $0 }
      while goesOn, put(many, to: client) {}
    case .endlessRows:
      _ = take(from: client)
      _ = put(column, to: client)
      let row = message("D", [0, 1, 0, 0, 3, 232] + [UInt8](repeating: 65, count: 1000))
      let many = Array(repeating: row, count: 500).flatMap { $0 }
      while goesOn, put(many, to: client) {}
    case .hugeMessage:
      _ = take(from: client)
      // Of almost a gigabyte, which never comes.
      _ = put(column + Array("D".utf8) + [0x3F, 0xFF, 0xFF, 0xF0, 0, 1], to: client)
      wait(client)
    case .wrongAnswers:
      while goesOn, let query = take(from: client), query.first != UInt8(ascii: "X") {
        let isExtended = query.first == UInt8(ascii: "P")
        let begin = isExtended ? message("1", []) + message("2", []) : []
        let row = message("D", [0, 1, 0, 0, 0, 5] + Array("wrong".utf8))
        guard
          put(begin + column + row + row + message("C", text("SELECT 2")) + message("Z", Array("I".utf8)), to: client)
        else { return }
      }
    case .hangsUpAtOnce, .silentAtOnce: return
    }
  }

  private var column: [UInt8] {
    message("T", [0, 1] + text("x") + [0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0])
  }

  private func wait(_ client: Int32) { while goesOn, take(from: client) != nil {} }
}
