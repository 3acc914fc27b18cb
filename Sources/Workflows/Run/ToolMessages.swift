import PostgresTools

extension Surroundings {
  /// Logs what a program that ended well wrote to its stderr: pg_dump says there what it leaves out.
  func tellWarnings(of exit: ChildExit, _ tool: String) {
    let lines = exit.standardError.split(whereSeparator: \.isNewline).map(String.init)
    for line in lines.prefix(Self.mostLines) {
      var text = line
      for prefix in ["\(tool): ", "warning: "] where text.hasPrefix(prefix) { text.removeFirst(prefix.count) }
      log.warning("\(tool): \(text)")
    }
    if lines.count > Self.mostLines { log.warning("\(tool): and \(lines.count - Self.mostLines) more lines") }
  }

  private static let mostLines = 20
}
