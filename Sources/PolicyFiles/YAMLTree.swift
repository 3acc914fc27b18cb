/// A YAML value with the line it starts on.
struct YAMLNode {
  indirect enum Content {
    /// `plain`: written without quotes, so that it may be a number, a boolean or null.
    case scalar(text: String, plain: Bool)
    case sequence([YAMLNode])
    case mapping([YAMLEntry])
    /// Something that a policy may not hold, and that has been reported.
    case refused
  }

  var content: Content
  var line: Int
}

struct YAMLEntry {
  var key: String
  var keyLine: Int
  var value: YAMLNode
}

/// Builds the tree of one document, and reports what YAML can do and a policy may not: anchors, aliases, tags, keys
/// that are no words, a second document.
struct YAMLComposer {
  private let events: YAMLEvents
  private(set) var problems: [PolicyProblem] = []

  /// Far deeper than any policy, and shallow enough for the stack.
  private static let deepest = 16

  init(_ bytes: [UInt8]) { events = YAMLEvents(bytes) }

  /// - Returns: nil for a file without any content.
  /// - Throws: at the first error of syntax: what follows it cannot be understood.
  mutating func document() throws(PolicyProblem) -> YAMLNode? {
    guard try events.next().kind == .streamStart, try events.next().kind == .documentStart else { return nil }
    let root = try node(try events.next(), path: nil, depth: 0)
    _ = try events.next()
    let after = try events.next()
    if after.kind == .documentStart {
      problems.append(PolicyProblem(line: after.line, "a second document starts here; a policy is one document"))
    }
    return root
  }

  private mutating func node(_ event: YAMLEvent, path: String?, depth: Int) throws(PolicyProblem) -> YAMLNode {
    guard depth < Self.deepest else { throw PolicyProblem(line: event.line, key: path, "is nested too deeply") }
    if event.hasAnchor { refuse(event, path, "anchors (&name) are not allowed in a policy") }
    if event.hasTag { refuse(event, path, "tags (!name) are not allowed in a policy") }
    switch event.kind {
    case .scalar(let text, let plain): return YAMLNode(content: .scalar(text: text, plain: plain), line: event.line)
    case .sequenceStart: return try sequence(event, path: path, depth: depth)
    case .mappingStart: return try mapping(event, path: path, depth: depth)
    case .alias:
      refuse(event, path, "aliases (*name) are not allowed in a policy; write the value out")
      return YAMLNode(content: .refused, line: event.line)
    default: throw PolicyProblem(line: event.line, key: path, "not valid YAML")
    }
  }

  private mutating func sequence(
    _ start: YAMLEvent, path: String?, depth: Int
  ) throws(PolicyProblem) -> YAMLNode {
    var items: [YAMLNode] = []
    while true {
      let event = try events.next()
      if event.kind == .sequenceEnd { return YAMLNode(content: .sequence(items), line: start.line) }
      items.append(try node(event, path: path, depth: depth + 1))
    }
  }

  private mutating func mapping(_ start: YAMLEvent, path: String?, depth: Int) throws(PolicyProblem) -> YAMLNode {
    var entries: [YAMLEntry] = []
    while true {
      let event = try events.next()
      if event.kind == .mappingEnd { return YAMLNode(content: .mapping(entries), line: start.line) }
      let key = try node(event, path: path, depth: depth + 1)
      guard case .scalar(let text, _) = key.content else {
        if case .refused = key.content {} else { refuse(event, path, "a key must be a word") }
        _ = try node(try events.next(), path: path, depth: depth + 1)
        continue
      }
      let value = try node(try events.next(), path: keyPath(path, text), depth: depth + 1)
      entries.append(YAMLEntry(key: text, keyLine: key.line, value: value))
    }
  }

  private mutating func refuse(_ event: YAMLEvent, _ path: String?, _ sentence: String) {
    problems.append(PolicyProblem(line: event.line, key: path, sentence))
  }
}

/// `section.key` as an error shows it; a key that looks like a piece of a connection string is not shown.
func keyPath(_ section: String?, _ key: String) -> String {
  let shown = mayBeSecret(key) ? "***" : printable(key)
  return section.map { "\($0).\(shown)" } ?? shown
}
