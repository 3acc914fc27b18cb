import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

@Suite struct SessionTests {
  @Test func `gives rows as text, and nil for NULL`() throws {
    let session = try LoginServer.connect()
    #expect(
      try session.query("SELECT 1, NULL, '', true UNION ALL SELECT 2, 'x', 'ü', false ORDER BY 1") == [
        ["1", nil, "", "t"], ["2", "x", "ü", "f"],
      ])
    #expect(
      try session.query("SELECT $1::text, $2::int + 1, $3::text", ["'; --", "41", nil]) == [["'; --", "42", nil]])
    #expect(try session.query("SELECT WHERE false") == [])
    #expect(try session.query("") == [])
    #expect(session.serverVersion >= 140_000)
  }

  @Test func `gives the server's error with its code, and goes on`() throws {
    let session = try LoginServer.connect()
    for (sql, state) in [
      ("SELECT 1/0", "22012"), ("SELEC", "42601"), ("SELECT 1; SELECT * FROM nowhere; SELECT 2", "42P01"),
    ] {
      guard case .failure(let error) = session.attempt(sql) else {
        Issue.record("\(sql) did not fail")
        continue
      }
      #expect(error.sqlState == state)
      #expect(error.failure.exit == .failed)
      #expect(error.failure.why.hasPrefix("\(state): "))
    }
    let raising = "DO $$ BEGIN RAISE EXCEPTION 'what' USING detail = 'more', hint = 'try', errcode = '42501'; END $$"
    let failure = try #require(throws: Failure.self) { try session.query(raising) }
    #expect(failure.exit == .noPermission)
    #expect(failure.details == ["more", "try", "PL/pgSQL function inline_code_block line 1 at RAISE"])
    #expect(try session.query("SELECT 1") == [["1"]])
  }

  @Test func `statements may hear a stop that the session itself does not`() throws {
    let session = try LoginServer.connect()
    let process = try #require(try session.query("SELECT pg_backend_pid()").first?.first ?? nil)
    let stop = Cancellation()
    let state = "SELECT coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = \(process)"
    when({ (try? LoginServer.shared.psql(state)) == "PgSleep" }, { stop.cancel(signal: SIGTERM) })
    let failure = try #require(throws: Failure.self) {
      try session.hearing(stop) { () throws(Failure) in try session.query("SELECT pg_sleep(300)") }
    }
    #expect(failure == .stopped(by: SIGTERM))
    #expect(try session.query("SELECT 1") == [["1"]])
    #expect(throws: Failure.self) { try session.hearing(stop) { () throws(Failure) in try session.query("SELECT 1") } }
  }

  @Test func `a COPY from or to the client comes to an end`() throws {
    let session = try LoginServer.connect()
    try session.query("CREATE TEMPORARY TABLE copied (x int)")
    let failure = try #require(throws: Failure.self) { try session.query("COPY copied FROM STDIN; SELECT 1") }
    #expect(failure.why.contains("write INSERT statements"), "\(failure.why)")
    #expect(try session.query("COPY (SELECT generate_series(1, 100000)) TO STDOUT") == [])
    #expect(try session.query("SELECT count(*) FROM copied") == [["0"]])
  }

  @Test func `a stop ends a COPY to the client`() throws {
    let cancellation = Cancellation()
    let session = try Connector(cancellation: cancellation, log: .silent).connect(LoginServer.target(), purpose: "test")
    let process = try #require(try session.query("SELECT pg_backend_pid()").first?.first ?? nil)
    let state = "SELECT state || ' ' || coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = \(process)"
    when({ (try? LoginServer.shared.psql(state)) == "active PgSleep" }, { cancellation.cancel(signal: SIGTERM) })
    let failure = try #require(throws: Failure.self) {
      try session.query("COPY (SELECT pg_sleep(300) FROM generate_series(1, 2)) TO STDOUT")
    }
    #expect(failure == .stopped(by: SIGTERM))
  }

  @Test func `a stop cancels the statement on the server`() throws {
    let cancellation = Cancellation()
    let session = try Connector(cancellation: cancellation, log: .silent).connect(LoginServer.target(), purpose: "test")
    let process = try #require(try session.query("SELECT pg_backend_pid()").first?.first ?? nil)
    let state = "SELECT state || ' ' || coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = \(process)"
    when({ (try? LoginServer.shared.psql(state)) == "active PgSleep" }, { cancellation.cancel(signal: SIGTERM) })
    let failure = try #require(throws: Failure.self) { try session.query("SELECT pg_sleep(300)") }
    #expect(failure == .stopped(by: SIGTERM))
    #expect(try eventually { try LoginServer.shared.psql(state).hasPrefix("idle") })
  }

  @Test func `a time limit of the server is no stop`() throws {
    let session = try LoginServer.connect()
    let failure = try #require(throws: Failure.self) {
      try session.query("SET statement_timeout = 50; SELECT pg_sleep(300)")
    }
    #expect(failure.code == "server_error")
    #expect(failure.why.hasPrefix("57014: "))
  }

  @Test func `says that the connection was lost`() throws {
    let session = try LoginServer.connect()
    let process = try #require(try session.query("SELECT pg_backend_pid()").first?.first ?? nil)
    when(
      { (try? LoginServer.shared.psql("SELECT state FROM pg_stat_activity WHERE pid = \(process)")) == "active" },
      { _ = try? LoginServer.shared.psql("SELECT pg_terminate_backend(\(process))") })
    for sql in ["SELECT pg_sleep(300)", "SELECT 1"] {
      let failure = try #require(throws: Failure.self) { try session.query(sql) }
      #expect(failure.code == "connection_lost")
      #expect(failure.exit == .unavailable)
    }
  }

  @Test func `says that the connection was lost when the whole server dies`() throws {
    let server = try TestCluster()
    var target = LoginServer.target()
    target.parameters["port"] = "\(server.port)"
    let session = try Connector(cancellation: Cancellation(), log: .silent).connect(target, purpose: "test")
    server.kill()
    let failure = try #require(throws: Failure.self) { try session.query("SELECT 1") }
    #expect(failure.code == "connection_lost")
  }

  @Test func `logs what the server notices`() throws {
    let lines = Lines()
    let log = Log { level, text in if level == .debug { lines.add(text) } }
    let session = try Connector(cancellation: Cancellation(), log: log).connect(LoginServer.target(), purpose: "test")
    try session.query("DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$")
    #expect(lines.text.contains("WARNING: mind the gap"))
  }
}
