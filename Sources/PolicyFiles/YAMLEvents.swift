import CYaml

/// What libyaml says next, in Swift's terms.
struct YAMLEvent {
  enum Kind: Equatable {
    case streamStart, streamEnd, documentStart, documentEnd
    case alias
    case scalar(text: String, plain: Bool)
    case sequenceStart, sequenceEnd, mappingStart, mappingEnd
  }

  var kind: Kind
  /// From 1.
  var line: Int
  var hasAnchor = false
  var hasTag = false
}

/// libyaml's parser over a copy of the text. The parser keeps pointers into both, so that both live on the heap.
final class YAMLEvents {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let ready: Bool

  init(_ bytes: [UInt8]) {
    input = .allocate(capacity: bytes.count)
    _ = input.initialize(from: bytes)
    parser = .allocate(capacity: 1)
    ready = yaml_parser_initialize(parser) == 1
    guard ready else { return }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    if ready { yaml_parser_delete(parser) }
    parser.deallocate()
    input.deallocate()
  }

  /// The next event. After `.streamEnd`, or once it has thrown, there is none.
  func next() throws(PolicyProblem) -> YAMLEvent {
    guard ready else { throw PolicyProblem(line: 1, "there is no memory left to read it") }
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxProblem() }
    defer { yaml_event_delete(&event) }
    guard let kind = kind(of: event) else {
      throw PolicyProblem(line: Int(event.start_mark.line) + 1, "not valid YAML")
    }
    let marks = marks(of: event)
    return YAMLEvent(kind: kind, line: Int(event.start_mark.line) + 1, hasAnchor: marks.anchor, hasTag: marks.tag)
  }

  private func kind(of event: yaml_event_t) -> YAMLEvent.Kind? {
    switch event.type {
    case YAML_STREAM_START_EVENT: .streamStart
    case YAML_STREAM_END_EVENT: .streamEnd
    case YAML_DOCUMENT_START_EVENT: .documentStart
    case YAML_DOCUMENT_END_EVENT: .documentEnd
    case YAML_ALIAS_EVENT: .alias
    case YAML_SCALAR_EVENT:
      .scalar(text: text(of: event), plain: event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
    case YAML_SEQUENCE_START_EVENT: .sequenceStart
    case YAML_SEQUENCE_END_EVENT: .sequenceEnd
    case YAML_MAPPING_START_EVENT: .mappingStart
    case YAML_MAPPING_END_EVENT: .mappingEnd
    default: nil
    }
  }

  private func text(of event: yaml_event_t) -> String {
    let scalar = event.data.scalar
    return String(decoding: UnsafeBufferPointer(start: scalar.value, count: Int(scalar.length)), as: UTF8.self)
  }

  private func marks(of event: yaml_event_t) -> (anchor: Bool, tag: Bool) {
    switch event.type {
    case YAML_SCALAR_EVENT: (event.data.scalar.anchor != nil, event.data.scalar.tag != nil)
    case YAML_SEQUENCE_START_EVENT: (event.data.sequence_start.anchor != nil, event.data.sequence_start.tag != nil)
    case YAML_MAPPING_START_EVENT: (event.data.mapping_start.anchor != nil, event.data.mapping_start.tag != nil)
    default: (false, false)
    }
  }

  /// libyaml's words hold nothing of the file's text, which may be a password; the hints look at the line only.
  private func syntaxProblem() -> PolicyProblem {
    let state = parser.pointee
    let unreadable = state.error == YAML_READER_ERROR
    let mark = unreadable ? breaks(before: Int(state.problem_offset)) : Int(state.problem_mark.line)
    var sentence = "not valid YAML: " + (state.problem.map { String(cString: $0) } ?? "it cannot be read")
    if let context = state.context {
      sentence += " (\(String(cString: context)) that starts on line \(Int(state.context_mark.line) + 1))"
    }
    return PolicyProblem(line: mark + 1, sentence + hint(line: mark, problem: sentence))
  }

  private func breaks(before offset: Int) -> Int { input.prefix(offset).count { $0 == 0x0A } }

  private func hint(line: Int, problem: String) -> String {
    let lines = input.split(separator: 0x0A, maxSplits: line + 1, omittingEmptySubsequences: false)
    let text = lines.indices.contains(line) ? lines[line] : lines.last ?? input[0..<0]
    if text.prefix(while: { $0 == 0x20 || $0 == 0x09 }).contains(0x09) { return "; indent with spaces, not with tabs" }
    if zip(text, text.dropFirst()).contains(where: { $0 == 0x24 && $1 == 0x7B }) {
      return "; put ${NAME} in quotes inside [ ] and { }"
    }
    return problem.contains("mapping values are not allowed") ? "; a value with a colon in it needs quotes" : ""
  }
}
