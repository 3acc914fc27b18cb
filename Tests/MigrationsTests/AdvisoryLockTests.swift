import Diagnostics
import Foundation
import Migrations
import PostgresTools
import TestSupport
import Testing

@Suite struct AdvisoryLockTests {
  private func take(_ lock: AdvisoryLock, _ session: Session, waiting seconds: Double = 0) throws {
    try lock.take(session, waiting: seconds, cancellation: Cancellation())
  }

  private func pid(_ session: Session) throws -> String {
    try #require(try session.query("SELECT pg_backend_pid()").first?.first ?? nil)
  }

  @Test func `a held lock is refused naming its holder, and taken after the release`() throws {
    try Workbench.with { bench in
      for lock in [AdvisoryLock.prisma, .deploy] {
        let (first, second) = (try bench.session(purpose: "first"), try bench.session(purpose: "second"))
        try take(lock, first)
        let refusal = try failure { try take(lock, second) }
        #expect(refusal.code == "locked")
        #expect(refusal.exit == .locked)
        #expect(refusal.why.contains("pid \(try pid(first)) (holdfast first)"))
        #expect(refusal.why.contains(/, connected for \d+ s$/))
        try lock.release(first)
        try take(lock, second)
        #expect(throws: Failure.self) { try take(lock, first) }
      }
    }
  }

  @Test func `a lock goes with its session`() throws {
    try Workbench.with { bench in
      let second = try bench.session()
      do {
        let first = try bench.session()
        try take(.deploy, first)
        #expect(throws: Failure.self) { try take(.deploy, second) }
      }
      try take(.deploy, second, waiting: 10)
    }
  }

  @Test func `it is the lock that Prisma takes, and the two locks are two`() throws {
    try Workbench.with { bench in
      let prisma = try bench.session(purpose: "prisma")
      try prisma.query("SELECT pg_advisory_lock(72707369)")
      let ours = try bench.session()
      try take(.deploy, ours)
      #expect(try failure { try take(.prisma, ours) }.code == "locked")
      try prisma.query("SELECT pg_advisory_unlock(72707369)")
      try take(.prisma, ours)
      #expect(try prisma.query("SELECT pg_try_advisory_lock(72707369)") == [["f"]])
    }
  }

  @Test func `a lock of another database is another lock`() throws {
    try Workbench.with { one in
      try Workbench.with { other in
        let (first, second) = (try one.session(), try other.session())
        try take(.prisma, first)
        try take(.prisma, second)
        #expect(throws: Failure.self) { try take(.prisma, try one.session()) }
      }
    }
  }

  /// An ordinary role does not see how long another one's session is connected.
  @Test func `the holder is named to a role that may not see its activity`() throws {
    try Workbench.with { bench in
      try bench.withRole { role in
        let holder = try bench.session(purpose: "holder")
        try take(.prisma, holder)
        let refusal = try failure { try take(.prisma, try bench.session(as: role)) }
        #expect(refusal.exit == .locked)
        #expect(refusal.why.contains("pid \(try pid(holder)) (holdfast holder)"))
      }
    }
  }

  @Test func `a holder without a name is named unnamed`() throws {
    try Workbench.with { bench in
      let holder = try bench.session()
      try holder.query("SET application_name = ''")
      try take(.prisma, holder)
      let refusal = try failure { try take(.prisma, try bench.session()) }
      #expect(refusal.why.contains("pid \(try pid(holder)) (unnamed)"))
    }
  }

  @Test func `who waits gets the lock when it is released`() throws {
    try Workbench.with { bench in
      let (first, second) = (try bench.session(), try bench.session(purpose: "waiter"))
      try take(.prisma, first)
      let outcome = Outcomes<Bool>()
      let threads = DispatchGroup()
      Thread.detachNewThread(in: threads) {
        outcome.add {
          try AdvisoryLock.prisma.take(second, waiting: 30, cancellation: Cancellation())
          return true
        }
      }
      try untilAsked(bench)
      try AdvisoryLock.prisma.release(first)
      threads.wait()
      #expect(try outcome.all() == [true])
      #expect(throws: Failure.self) { try take(.prisma, first) }
    }
  }

  @Test func `who waits stops at once when it is told to`() throws {
    try Workbench.with { bench in
      let cancellation = Cancellation()
      let first = try bench.session()
      let second = try bench.session(purpose: "waiter", cancellation: cancellation)
      try take(.prisma, first)
      let outcome = Outcomes<Failure>()
      let threads = DispatchGroup()
      let begin = ContinuousClock.now
      Thread.detachNewThread(in: threads) {
        outcome.add {
          try failure { try AdvisoryLock.prisma.take(second, waiting: 600, cancellation: cancellation) }
        }
      }
      try untilAsked(bench)
      cancellation.cancel(signal: SIGTERM)
      threads.wait()
      #expect(try outcome.all().map(\.exit) == [.terminated])
      #expect(ContinuousClock.now - begin < .seconds(60))
    }
  }

  private func untilAsked(_ bench: Workbench) throws {
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast waiter'"
    let ours = " AND datname = '\(bench.database)' AND query LIKE '%try_advisory_lock%'"
    try eventually("the waiter asks") { try bench.cluster.psql(asked + ours) == "1" }
  }
}
