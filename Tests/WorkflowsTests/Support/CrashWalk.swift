import PostgresTools
import TestSupport
import Testing

/// Runs a command to its end and notes its steps; then starts it anew for each of them, and has `body` do something when it stands there.
///
/// - Parameters:
///   - reset: takes back what the first run did.
///   - body: has to end the run, or let it go.
/// - Returns: the steps at which runs stood.
@discardableResult
func walk(
  _ command: ChildCommand, notesIn folder: String, reset: () throws -> Void = {},
  _ body: (_ run: SteppedRun, _ step: String) throws -> Void
) throws -> [String] {
  let whole = try SteppedRun(command, at: "*", notesIn: folder)
  let end = try whole.end()
  try #require(end.succeeded, "\(end.standardError)")
  try #require(!whole.stops.isEmpty, "a build without steps proves nothing")
  try reset()
  var walked: [String] = []
  for step in whole.stops {
    let run = try SteppedRun(command, at: step, notesIn: folder)
    guard try run.reach() != nil else {
      // There is not always something to prune, or left to drop; and a name by chance comes once.
      let comesOnce = step.contains(" the backup#") || step.hasPrefix("drop ") || step.contains(".partial-hold")
      #expect(comesOnce, "\(step) is not reached")
      _ = try run.process.end()
      try reset()
      continue
    }
    walked.append(step)
    try body(run, step)
  }
  #expect(!walked.isEmpty)
  return walked
}
