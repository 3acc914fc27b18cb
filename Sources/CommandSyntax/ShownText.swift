/// An argument as an error message shows it: on one line, of bearable length, without terminal sequences, and
/// without what may be a password.
func shown(_ text: String) -> String {
  let visible = withoutSecret(text).unicodeScalars.map(escaped).joined()
  return visible.count > 60 ? "\(visible.prefix(57))..." : visible
}

func quoted(_ text: String) -> String { "\"\(shown(text))\"" }

/// A connection string where another word belongs is an easy mistake, and error messages end up in mail and logs.
private func withoutSecret(_ text: String) -> String {
  for marker in ["://", "password="] {
    if let found = text.firstRange(of: marker) { return "\(text[..<found.upperBound])..." }
  }
  return text
}

private func escaped(_ scalar: Unicode.Scalar) -> String {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
    "\\u{\(String(scalar.value, radix: 16))}"
  default: String(scalar)
  }
}
