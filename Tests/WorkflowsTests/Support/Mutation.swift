import Diagnostics
import Foundation
import TestSupport

/// One change to a repository, as somebody who can write to it may make it.
struct Mutation {
  let repository: String
  let outside: String
  /// A database that is none of Holdfast's.
  let victim: String
  var random: SeededGenerator

  private enum Kind: CaseIterable {
    case flip, cut, empty, grow, remove, linkToFile, linkToFolder, fifo, folder, rename, exchange, value, line
  }

  /// - Returns: what it was, for a failed test.
  mutating func apply() throws -> String {
    let manager = FileManager.default
    let all = try manager.subpathsOfDirectory(atPath: repository).sorted()
    let files = all.filter {
      var status = stat()
      return lstat("\(repository)/\($0)", &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
    }
    guard let name = files.randomElement(using: &random), let place = all.randomElement(using: &random),
      let other = files.randomElement(using: &random), let kind = Kind.allCases.randomElement(using: &random)
    else { return "nothing" }
    let path = "\(repository)/\(name)"
    var data = manager.contents(atPath: path) ?? Data()
    switch kind {
    case .flip where !data.isEmpty:
      data[Int.random(in: 0..<data.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
    case .cut: data = data.prefix(Int.random(in: 0...data.count, using: &random))
    case .empty: data = Data()
    case .grow: data += Data((0..<100).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .exchange: data = manager.contents(atPath: "\(repository)/\(other)") ?? Data()
    case .value, .line: data = changed(data, kind)
    case .remove, .linkToFile, .linkToFolder, .fifo, .folder, .rename:
      return try replace(kind == .linkToFolder || kind == .remove ? place : name, kind)
    default: break
    }
    try data.write(to: URL(fileURLWithPath: path))
    if name.hasSuffix("manifest.json") { try resealSums(parent: Diagnostics.parent(of: path)) }
    return "\(kind) \(name)"
  }

  private mutating func replace(_ name: String, _ kind: Kind) throws -> String {
    let path = "\(repository)/\(name)"
    try FileManager.default.removeItem(atPath: path)
    switch kind {
    case .linkToFile: symlink("\(outside)/secret", path)
    case .linkToFolder: symlink(Bool.random(using: &random) ? outside : "\(outside)/deep", path)
    case .fifo: mkfifo(path, 0o600)
    case .folder: mkdir(path, 0o700)
    case .rename: try Data("x".utf8).write(to: URL(fileURLWithPath: "\(path).renamed"))
    default: break
    }
    return "\(kind) \(name)"
  }

  /// Another value in a place of a JSON text, or its lines in another order.
  private mutating func changed(_ data: Data, _ kind: Kind) -> Data {
    let values = [
      "\"\(victim)\"", "\"template0\"", "\"../../outside/secret\"", "\"\(outside)/secret\"",
      "\"'; DROP DATABASE x; --\"", "null", "-1", "1e400",
      "18446744073709551615", "[]", "{}", "true", "\"\"", "\"\\u0000\"", "\"$(touch \(outside)/pwned)\"",
      "\"\\n\\\\! touch \(outside)/pwned\\n\"",
    ]
    let text = String(decoding: data, as: UTF8.self)
    guard kind == .value else {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).shuffled(using: &random)
      return Data(lines.joined(separator: "\n").utf8)
    }
    let places = text.matches(of: /:\s*("[^"]*"|-?[0-9.]+|true|false|null)/)
    guard let place = places.randomElement(using: &random), let value = values.randomElement(using: &random) else {
      return data
    }
    var new = text
    new.replaceSubrange(place.1.startIndex..<place.1.endIndex, with: value)
    return Data(new.utf8)
  }

  /// The sums fit the manifest again: what follows trusts them.
  private func resealSums(parent: String) throws {
    _ = try shell(
      """
      [ -d . ] || exit 0; sed -i '/ manifest.json$/d' SHA256SUMS 2>/dev/null; sha256sum manifest.json >>SHA256SUMS
      """, in: parent)
  }
}
