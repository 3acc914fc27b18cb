import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The turn of one deploy of a database: while it lasts nobody else deploys, neither here nor on another machine.
struct DeployTurn {
  let repository: Repository
  let books: DeployBooks
  private let lock: PolicyLock

  /// - Parameter seconds: how long to wait for a session that is just ending, that of a killed run.
  /// - Throws: `locked`; what opening the books throws.
  init(
    policy: Policy, purpose: String, waiting seconds: Double = 0, surroundings: Surroundings
  ) throws(Failure) {
    repository = try surroundings.repository(of: policy)
    lock = try PolicyLock(repository, policy: policy.name, kind: .deploy, purpose: purpose, now: surroundings.now())
    books = try DeployBooks(policy: policy, surroundings: surroundings)
    try AdvisoryLock.deploy.take(
      books.session, waiting: seconds, endsStrangers: true, log: surroundings.log,
      cancellation: surroundings.cancellation)
    NewDatabase.sweepLeftovers(of: books.target, surroundings)
  }
}
