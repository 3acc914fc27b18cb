/// A line of a policy that holds a key, live or commented out: `#` with the key's own indentation, 0 or 2, behind it.
struct PolicyLine {
  var number: Int
  var indent: Int
  var path: String
  var isComment: Bool
  var isSection: Bool
  var sectionNumber: Int?

  static func all(in text: String) -> [PolicyLine] {
    var section: (name: String, number: Int)?
    var found: [PolicyLine] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let body = line.hasPrefix("#") ? line.dropFirst() : line
      guard let match = body.wholeMatch(of: /(  )?([a-z_]+):( .*)?/) else { continue }
      let name = String(match.output.2)
      let nested = match.output.1 != nil
      if !nested { section = (name, index + 1) }
      found.append(
        PolicyLine(
          number: index + 1, indent: nested ? 2 : 0,
          path: nested ? "\(section?.name ?? "").\(name)" : name, isComment: line.hasPrefix("#"),
          isSection: match.output.3 == nil, sectionNumber: nested ? section?.number : nil))
    }
    return found
  }
}
