/// One line of `holdfast check`.
package struct CheckFinding: Sendable, Equatable {
  package enum Kind: String, Sendable { case fine, warning, problem }
  package var kind: Kind
  package var text: String
  /// What to do about it.
  package var fix: String?
}
