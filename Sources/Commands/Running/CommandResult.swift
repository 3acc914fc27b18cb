import Diagnostics

/// What a command has to say at its end: as text and as JSON, and how the process exits.
struct CommandResult {
  /// Members of the one JSON document.
  var json: [JSONValue.Member]
  /// For stdout.
  var text: Screen
  var exit: ExitCode
  /// Printed after the text; in JSON beside whatever else is known.
  var failure: Failure?

  init(json: JSONValue, text: Screen, exit: ExitCode = .done, failure: Failure? = nil) {
    if case .object(let members) = json { self.json = members } else { self.json = [] }
    self.text = text
    self.exit = failure?.exit ?? exit
    self.failure = failure
  }

  init(failure: Failure) {
    self.init(json: [:], text: .nothing, failure: failure)
  }

  var document: JSONValue {
    var members = json
    if let failure {
      members.append(
        JSONValue.Member(
          key: "error",
          value: [
            "code": .string(failure.code), "what": .string(failure.what), "why": .string(failure.why),
            "next_step": .string(failure.nextStep), "exit": .integer(UInt64(failure.exit.rawValue)),
            "details": .strings(failure.details),
          ]))
    }
    return .object(members)
  }
}
