import BackupModel
import PolicyFiles
import Testing

@Suite struct ShippedPolicyTests {
  @Test(arguments: ShippedPolicy.allCases)
  func `it parses as it is`(shipped: ShippedPolicy) throws {
    let read = try PolicyReader(environment: onlyURL).read(
      text: shipped.text(), file: shipped.path, name: shipped.rawValue)
    #expect(read.name == shipped.rawValue)
    #expect(read.environment == shipped.rawValue)
    #expect(read.target == .unread(secretURL))
    #expect(read.repository == shipped.path.replacing("policies/\(shipped.rawValue).yaml", with: "backups"))
    #expect(read.backup.globals == (shipped == .development ? .none : .whole))
    #expect(read.verifyAfterBackup == (shipped == .development ? .checksum : .archive))
  }

  @Test(arguments: ShippedPolicy.allCases)
  func `every key of the table occurs, and no other`(shipped: ShippedPolicy) throws {
    let lines = try PolicyLine.all(in: shipped.text())
    let paths = lines.filter { !$0.isSection }.map(\.path)
    #expect(paths.sorted() == PolicyTable.keys.map(\.path).sorted())
  }

  @Test(arguments: ShippedPolicy.allCases)
  func `a key is commented out exactly when its feature comes later`(shipped: ShippedPolicy) throws {
    let commented = try PolicyLine.all(in: shipped.text()).filter { $0.isComment && !$0.isSection }.map(\.path)
    #expect(commented.sorted() == PolicyTable.keys.filter(\.comesLater).map(\.path).sorted())
  }

  @Test(arguments: ShippedPolicy.allCases)
  func `each commented key is known, and refused with its sentence`(shipped: ShippedPolicy) throws {
    let text = try shipped.text()
    var refused = 0
    for line in PolicyLine.all(in: text) where line.isComment && !line.isSection {
      let key = try #require(PolicyTable.keys.first { $0.path == line.path })
      let uncommented = uncommenting(line, in: text)
      guard case .only(_, let sentence) = key.availability else {
        #expect(try policy(uncommented).environment == shipped.rawValue, "\(line.path)")
        continue
      }
      #expect(try problems(of: uncommented) == ["\(line.number): \(line.path): \(sentence)"])
      refused += 1
    }
    #expect(refused > 15)
  }

  @Test(arguments: ShippedPolicy.allCases)
  func `each key has a comment, and each later one says so`(shipped: ShippedPolicy) throws {
    let text = try shipped.text()
    #expect(text.contains("in a later version"))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for section in PolicyLine.all(in: text) where section.indent == 0 && section.isComment {
      let before = lines.prefix(section.number - 1).last
      #expect(before?.contains("(in a later version") == true, "\(section.path)")
    }
  }

  /// The text with the line's comment sign taken away, and its section's, if that is one.
  private func uncommenting(_ line: PolicyLine, in text: String) -> String {
    let numbers = [line.number, line.sectionNumber].compactMap(\.self)
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .map { index, text in numbers.contains(index + 1) && text.hasPrefix("#") ? text.dropFirst() : text }
      .joined(separator: "\n")
  }
}
