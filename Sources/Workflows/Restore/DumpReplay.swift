import Diagnostics
import StreamPipeline

/// Runs the statements of a dump in their order. What fails is tried again once others were run, as long as that helps.
final class DumpReplay {
  private let dump: DumpSession
  /// The dump was run before, as far as it went: what is there already is done.
  private let isRepeated: Bool
  private var context: [String: [UInt8]] = [:]
  private var waiting: [Waiting] = []
  /// Those that come at the end.
  private(set) var held = HeldStatements()

  private struct Waiting {
    var statement: [UInt8]
    var context: [String: [UInt8]]
    var failure: Failure
  }

  init(_ dump: DumpSession, isRepeated: Bool = false) {
    self.dump = dump
    self.isRepeated = isRepeated
  }

  /// - Throws: what is no error of the statement.
  func take(_ statement: [UInt8]) throws(Failure) {
    switch RestorePhase(statement) {
    case .rows: throw .internalError("rows are loaded by their own means")
    case .refresh: held.refreshes.append(statement)
    case .eventTrigger: held.eventTriggers.append(statement)
    case .context(let name):
      context[name] = statement
      try run(statement)
    case .sequence:
      held.sequences.append(statement)
      try run(statement)
    case .session, .transaction, .largeObject, .main: try run(statement)
    }
  }

  /// Has a statement wait for `settle`; what sets up the session is run at once.
  func postpone(_ statement: [UInt8]) throws(Failure) {
    guard RestorePhase(statement) == .main else { return try take(statement) }
    waiting.append(Waiting(statement: statement, context: context, failure: .internalError("it was not run yet")))
  }

  private func run(_ statement: [UInt8]) throws(Failure) {
    guard let failure = try outcome(statement) else { return }
    waiting.append(Waiting(statement: statement, context: context, failure: failure))
  }

  private func outcome(_ statement: [UInt8]) throws(Failure) -> Failure? {
    try dump.run(statement, isRepeated: isRepeated)
  }

  /// Tries what has failed again, until nothing more can be run.
  func settle() throws(Failure) {
    guard !waiting.isEmpty else { return }
    while true {
      var left: [Waiting] = []
      for one in waiting {
        for setting in one.context.values { _ = try dump.run(setting) }
        guard let failure = try outcome(one.statement) else { continue }
        left.append(Waiting(statement: one.statement, context: one.context, failure: failure))
      }
      let helped = left.count < waiting.count
      waiting = left
      if !helped || left.isEmpty { break }
    }
    for setting in context.values { _ = try dump.run(setting) }
  }

  /// Of what could not be run.
  var failedStates: Set<String> { Set(waiting.compactMap { $0.failure.server?.sqlState }) }

  /// What could not be run, in the order of the dump.
  var failed: [(statement: [UInt8], failure: Failure)] { waiting.map { ($0.statement, $0.failure) } }

  /// Gives up what could not be run; a key or a check that rows break is added without a look at them.
  ///
  /// - Parameter isTolerant: false: the first of them is thrown.
  func giveUp(isTolerant: Bool) throws(Failure) -> [Shortfall] {
    guard isTolerant else {
      guard let failure = waiting.map(\.failure).joined else { return [] }
      throw failure.ofUnrestorableObject
    }
    var shortfalls: [Shortfall] = []
    for one in waiting {
      var replacements: [[UInt8]] = []
      if let weaker = BuildSteps.withoutValidation(one.statement), try dump.run(weaker) == nil {
        replacements = [weaker]
      }
      shortfalls.append(Shortfall(statement: one.statement, replacements: replacements, why: one.failure.reason))
    }
    waiting = []
    return shortfalls
  }
}

/// Statements of a dump that a restore runs after everything else.
struct HeldStatements {
  var refreshes: [[UInt8]] = []
  var sequences: [[UInt8]] = []
  var eventTriggers: [[UInt8]] = []

  static func += (left: inout HeldStatements, right: HeldStatements) {
    left.refreshes += right.refreshes
    left.sequences += right.sequences
    left.eventTriggers += right.eventTriggers
  }
}

extension Failure {
  /// Why, with what the server says of the rows.
  var reason: String { ([why] + details.prefix(1).filter { $0.hasPrefix("Key ") }).joined(separator: ": ") }

  /// The same for whoever may go on without what cannot be restored.
  var ofUnrestorableObject: Failure {
    var failure = self
    failure.code = "unrestorable_object"
    failure.what = "restore"
    failure.nextStep =
      "fix what the server names; or leave it out: the same command with --accept-schema-text names what is missing"
    return failure
  }
}
