import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

@Suite struct ConnectorTests {
  @Test func `names its sessions so that an administrator can tell them`() throws {
    let session = try LoginServer.connect()
    let names = try session.query("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    #expect(names == [["holdfast test"]])
  }

  @Test func `logs in with a password, and says when it is wrong`() throws {
    try LoginServer.shared.psql("CREATE ROLE locked LOGIN PASSWORD 'a:b\\c ü'")
    let right = LoginServer.target(user: "locked", password: "a:b\\c ü")
    #expect(try connect(right).query("SELECT current_user") == [["locked"]])
    for password in ["wrong", nil] {
      let failure = try refusal(of: LoginServer.target(user: "locked", password: password))
      #expect(failure.code == "wrong_password")
      #expect(failure.exit == .noPermission)
      #expect(password != nil || failure.nextStep.contains("~/.pgpass"))
      #expect(!failure.lines.joined(separator: "\n").contains("wrong\n"))
    }
  }

  @Test func `says that a database or a role does not exist`() throws {
    let missing = try refusal(of: LoginServer.target("no such database"))
    #expect(missing.code == "no_such_database")
    #expect(missing.exit == .unavailable)
    #expect(missing.nextStep.contains("no such database"))
    let nobody = try refusal(of: LoginServer.target(user: "no such role"))
    #expect(nobody.code == "login_refused" && nobody.exit == .noPermission)
    #expect(nobody.nextStep == "CREATE ROLE \"no such role\" LOGIN, or change the user in database.url")
  }

  @Test func `says that a role may not connect to a database`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      let role = try LoginServer.role()
      try bench.cluster.psql("REVOKE CONNECT ON DATABASE \"\(bench.database)\" FROM PUBLIC")
      let failure = try refusal(of: LoginServer.target(bench.database, user: role))
      #expect(failure.code == "login_refused")
      #expect(failure.exit == .noPermission)
      #expect(failure.nextStep.hasPrefix("GRANT CONNECT"))
    }
  }

  @Test func `asks again when there is no free connection, and then says so`() throws {
    let role = try LoginServer.role("LOGIN CONNECTION LIMIT 1")
    let first = try connect(LoginServer.target(user: role))
    let lines = Lines()
    let log = Log { _, text in lines.add(text) }
    let failure = try #require(throws: Failure.self) {
      try Connector(cancellation: Cancellation(), log: log).connect(LoginServer.target(user: role), purpose: "test")
    }
    #expect(failure.code == "too_many_connections")
    #expect(lines.count == 2, "\(lines.text)")
    #expect(try first.query("SELECT 1") == [["1"]])
  }

  @Test func `says that no server answers there`() throws {
    var target = LoginServer.target()
    target.parameters["port"] = "1"
    #expect(try refusal(of: target).code == "server_unreachable")
    target.parameters["host"] = "no-such-host.invalid"
    #expect(try refusal(of: target).exit == .unavailable)
  }

  @Test func `waits no longer than the timeout for a server that does not speak`() throws {
    let silent = try SilentServer()
    var target = LoginServer.target()
    target.parameters["port"] = "\(silent.port)"
    target.parameters["connect_timeout"] = "1"
    let failure = try refusal(of: target)
    #expect(failure.code == "server_unreachable")
    #expect(failure.why == "no answer within 1 s")
  }

  @Test func `a host that does not speak is given its time, and the next one is tried`() throws {
    let silent = try SilentServer()
    var target = LoginServer.target()
    target.parameters["host"] = "127.0.0.1,127.0.0.1"
    target.parameters["port"] = "\(silent.port),\(LoginServer.shared.port)"
    target.parameters["connect_timeout"] = "1"
    let session = try connect(target)
    #expect(try session.query("SELECT 1") == [["1"]])
    // Later sessions of the run, and its children, go where this one is.
    let here = target.database("template1").at(session)
    #expect(here.endpoint == "127.0.0.1:\(LoginServer.shared.port)")
    #expect(here.database == "template1")
    target.parameters["port"] = "\(silent.port),1"
    let failure = try refusal(of: target)
    #expect(failure.why.contains("no answer within 1 s"), "\(failure.why)")
    #expect(failure.why.contains("refused"), "\(failure.why)")
  }

  @Test(arguments: [
    ("read-write", true), ("primary", true), ("any", true), ("prefer-standby", true), ("standby", false),
    ("read-only", false),
  ])
  func `the kind of server that the URL asks for is looked for on every host`(kind: String, isThere: Bool) throws {
    var target = LoginServer.target()
    target.parameters["host"] = "127.0.0.1,127.0.0.1"
    target.parameters["port"] = "1,\(LoginServer.shared.port)"
    target.parameters["target_session_attrs"] = kind
    if isThere {
      #expect(try connect(target).query("SELECT 1") == [["1"]])
    } else {
      #expect(try refusal(of: target).code == "server_unreachable")
    }
  }

  @Test func `a host that refuses the login ends the search, as for libpq`() throws {
    let role = try LoginServer.role("NOLOGIN")
    var target = LoginServer.target(user: role)
    target.parameters["host"] = "127.0.0.1,127.0.0.1"
    target.parameters["port"] = "\(LoginServer.shared.port),1"
    #expect(try refusal(of: target).code == "login_refused")
  }

  @Test func `a stop ends the wait for a server`() throws {
    let silent = try SilentServer()
    var target = LoginServer.target()
    target.parameters["port"] = "\(silent.port)"
    target.parameters["connect_timeout"] = "60"
    let cancellation = Cancellation()
    when({ silent.hasClient }, { cancellation.cancel(signal: SIGINT) })
    let failure = try #require(throws: Failure.self) {
      try Connector(cancellation: cancellation, log: .silent).connect(target, purpose: "test")
    }
    #expect(failure == .stopped(by: SIGINT))
  }

  @Test func `waits for a server that is still to come up, but not for a wrong password`() throws {
    let server = try TestCluster()
    try server.psql("CREATE ROLE locked LOGIN PASSWORD 'right'")
    server.kill()
    let connector = Connector(cancellation: Cancellation(), log: .silent)
    var target = LoginServer.target(user: "locked", password: "right")
    target.parameters["port"] = "\(server.port)"
    let failure = try #require(throws: Failure.self) {
      try connector.connect(target, purpose: "test", waitingAtMost: .milliseconds(700))
    }
    #expect(failure.exit == .unavailable)
    Thread.detachNewThread { try? server.start() }
    let session = try connector.connect(target, purpose: "test", waitingAtMost: .seconds(60))
    #expect(try session.query("SELECT 1") == [["1"]])
    target.password = Secret("wrong")
    let begin = Date()
    #expect(throws: Failure.self) { try connector.connect(target, purpose: "test", waitingAtMost: .seconds(60)) }
    #expect(Date().timeIntervalSince(begin) < 30)
  }

  private func connect(_ target: ConnectionTarget) throws -> Session {
    try Connector(cancellation: Cancellation(), log: .silent).connect(target, purpose: "test")
  }

  private func refusal(of target: ConnectionTarget) throws -> Failure {
    try #require(throws: Failure.self) { try connect(target) }
  }
}

/// Takes connections and says nothing.
private final class SilentServer: @unchecked Sendable {
  let port: Int
  private let descriptor: Int32

  init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.descriptor = descriptor
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard bind(descriptor, generic, length) == 0, listen(descriptor, 5) == 0,
          getsockname(descriptor, generic, &length) == 0
        else { return 0 }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
      }
    }
    guard port > 0 else { throw Failure.internalError("no port to listen on") }
  }

  deinit { close(descriptor) }

  var hasClient: Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, 0) > 0
  }
}
