/// A password or the like: it can be used, but not printed, logged or encoded by accident.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  package init(_ value: String) { self.value = value }

  /// The only way to the text. Its callers write it to a private file or hand it to libpq.
  package func reveal() -> String { value }

  package var description: String { "***" }
  package var debugDescription: String { "***" }
  package var customMirror: Mirror { Mirror(self, children: []) }

  /// `text` with every occurrence of the secret taken out; a child may have printed it.
  package func redacted(from text: String) -> String {
    guard !value.isEmpty else { return text }
    // Byte by byte: as Characters, its last letter and an accent behind it would be another letter.
    return String(decoding: Array(text.utf8).replacing(Array(value.utf8), with: Array("***".utf8)), as: UTF8.self)
  }
}
