import Diagnostics

/// A script of SQL, cut into its statements.
package struct SQLScript: Sendable {
  package struct Statement: Sendable, Equatable {
    /// As it stands in the script, comments within it too, without its semicolon.
    package var text: String
    /// Its words in capitals outside of quotes and comments, as many as decide what it is.
    package var words: [String]
    /// Of its first line, from 1.
    package var line: Int
  }

  package let statements: [Statement]

  /// - Throws: `unreadable_script` when it ends within a quote or a comment.
  package init(_ script: String) throws(Failure) {
    let bytes = Array(script.utf8)
    var lexer = StatementLexer()
    var found: [Statement] = []
    var position = 0
    while position < bytes.count {
      let (taken, event) = try Self.take(&lexer, bytes, from: position)
      position += taken
      if case .statement(let bare) = event {
        found.append(Self.statement(bare, bytes, lexer.statementStart, position - 1))
      }
    }
    // A last statement needs no semicolon.
    if case .statement(let bare) = try Self.take(&lexer, Array("\n;".utf8), from: 0).event {
      found.append(Self.statement(bare, bytes, lexer.statementStart, bytes.count))
    }
    guard lexer.isBetweenStatements else {
      throw Failure(
        "unreadable_script", exit: .failed, what: "reading the script", why: "it ends within a quote or a comment",
        nextStep: "close it")
    }
    statements = found
  }

  private static func take(
    _ lexer: inout StatementLexer, _ bytes: [UInt8], from position: Int
  ) throws(Failure) -> (taken: Int, event: StatementLexer.Event) {
    var copy = lexer
    let outcome: Result<(taken: Int, event: StatementLexer.Event), Failure> = bytes.withUnsafeBytes { buffer in
      do throws(Failure) {
        return .success(try copy.take(UnsafeRawBufferPointer(rebasing: buffer[position...])))
      } catch { return .failure(error) }
    }
    lexer = copy
    return try outcome.get()
  }

  private static func statement(_ bare: [UInt8], _ script: [UInt8], _ start: Int, _ end: Int) -> Statement {
    let text = String(decoding: script[min(start, end)..<end], as: UTF8.self)
    let line = 1 + script[..<min(start, end)].count { $0 == 0x0A }
    let words = String(decoding: bare, as: UTF8.self).split { $0.isWhitespace || "(),".contains($0) }
    return Statement(text: text, words: words.prefix(40).map { $0.uppercased() }, line: line)
  }
}
