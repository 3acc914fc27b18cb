import Diagnostics
import Foundation
import StreamPipeline

/// A migration on disk: a folder with a `migration.sql`.
package struct MigrationScript: Sendable, Equatable {
  package var name: String
  /// Nil when `migration.sql` is missing or unreadable.
  package var text: String?
  /// Why the file's bytes are no text that can be sent: `text` has U+FFFD in their place, as Prisma reads it.
  package var encodingProblem: String?

  package init(name: String, text: String?, encodingProblem: String? = nil) {
    self.name = name
    self.text = text
    self.encodingProblem = encodingProblem
  }

  /// - Parameter contents: of its `migration.sql`; nil: missing or unreadable.
  init(name: String, contents: Data?) {
    self.init(name: name, text: contents.map { String(decoding: $0, as: UTF8.self) })
    encodingProblem = contents.flatMap(Self.firstBadByte)
  }

  private static func firstBadByte(_ contents: Data) -> String? {
    guard String(validating: contents, as: UTF8.self) == nil else { return nil }
    let lines = contents.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() where String(validating: line, as: UTF8.self) == nil {
      // The longest beginning that is text ends before the byte.
      let length = (0...line.count).last { String(validating: line.prefix($0), as: UTF8.self) != nil } ?? 0
      let byte = line.dropFirst(length).first ?? 0
      let digits = String(byte, radix: 16, uppercase: true)
      return "line \(number + 1), byte \(length + 1): 0x\(digits.count < 2 ? "0" : "")\(digits) is not UTF-8"
    }
    return "it is not UTF-8"
  }

  /// Why it cannot be applied: `P3015`, `migration_not_utf8`; nil when it can.
  package var refusal: Failure? {
    guard text != nil else { return missing }
    return encodingProblem.map {
      Failure(
        "migration_not_utf8", exit: .failed, what: "migration \(name)", why: "its migration.sql: \($0)",
        nextStep: "save the file as UTF-8, for example: iconv -f LATIN1 -t UTF-8")
    }
  }

  /// `P3015`: a folder without its script.
  var missing: Failure {
    Failure(
      "P3015", exit: .failed, what: "migration \(name)", why: "its migration.sql could not be found or read",
      nextStep: "restore the file, or delete the folder \(name)")
  }

  /// What Prisma stores: the SHA-256 of the text's UTF-8 bytes.
  package func checksum() throws(Failure) -> String? {
    if let text { try SHA256.hash(of: text) } else { nil }
  }
}

/// Prisma's migrations folder, read by Prisma's rules.
package struct MigrationFolder: Sendable {
  /// In the order in which they are applied.
  package let migrations: [MigrationScript]
  /// What `migration_lock.toml` names; nil when there is no such file.
  package let lockedProvider: String?

  /// A folder that is missing has no migrations.
  ///
  /// - Throws: `cannot_read`: one that cannot be read must not look like one without migrations.
  package init(path: String) throws(Failure) {
    let names = try folderNames(path)
    // A link to a folder does not count, a hidden folder does.
    let folders = names.filter { name in
      var status = stat()
      return lstat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
    migrations = try folders.sorted(by: MigrationOrder.precedes).map { (name) throws(Failure) in
      MigrationScript(name: name, contents: try Self.text("\(path)/\(name)/migration.sql"))
    }
    lockedProvider = try Self.text("\(path)/migration_lock.toml")
      .map { Self.provider(in: String(decoding: $0, as: UTF8.self)) }
  }

  /// In bytes. What Prisma runs on has no longer text.
  private static let largestScript = 512 << 20

  /// Nil: there is no such file.
  ///
  /// - Throws: `cannot_read`; `migration_too_large`.
  private static func text(_ path: String) throws(Failure) -> Data? {
    var status = stat()
    // Git makes a gigabyte of zeros small: whoever can propose a migration could fill the memory of everybody's status.
    guard stat(path, &status) != 0 || status.st_size <= largestScript else {
      throw Failure(
        "migration_too_large", exit: .failed, what: path, why: "it has more than \(largestScript >> 20) MiB",
        nextStep: "load data by other means (COPY, psql), and keep migrations small")
    }
    if let data = FileManager.default.contents(atPath: path) { return data }
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file < 0 else {
      // A folder of that name.
      close(file)
      return nil
    }
    guard [ENOENT, ENOTDIR].contains(errno) else { throw cannotRead(path, errno) }
    return nil
  }

  package func migration(_ name: String) -> MigrationScript? { migrations.first { $0.name == name } }

  /// - Throws: `P3019` when the folder was made for another kind of database.
  package func checkProvider() throws(Failure) {
    guard let lockedProvider, lockedProvider != "postgresql" else { return }
    throw Failure(
      "P3019", exit: .failed, what: "migration_lock.toml",
      why: "its provider is `\(lockedProvider)`, and the database is `postgresql`",
      nextStep: "write exactly  provider = \"postgresql\"  or begin a new migration history")
  }

  /// Not TOML: the line is taken as Prisma takes it. Only a line feed ends one, with a carriage return before it or without.
  private static func provider(in text: String) -> String {
    let lines = text.unicodeScalars.split(separator: "\n").map { Substring($0.last == "\r" ? $0.dropLast() : $0) }
    guard var rest = lines.first(where: { $0.hasPrefix("provider") }) else { return "<PROVIDER NOT FOUND>" }
    while rest.hasPrefix("provider = ") { rest = rest.dropFirst("provider = ".count) }
    while rest.hasPrefix("\"") { rest = rest.dropFirst() }
    while rest.hasSuffix("\"") { rest = rest.dropLast() }
    return String(rest)
  }
}

/// The order of migration names since Prisma 6.6: that of JavaScript's localeCompare, not of the bytes. `20240101_a` comes before
/// `20240101000000_a`.
package enum MigrationOrder {
  private static let ranks: [Unicode.Scalar: Int] = {
    let order = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"
    return Dictionary(order.unicodeScalars.enumerated().map { ($0.element, $0.offset) }) { first, _ in first }
  }()

  package static func precedes(_ left: String, _ right: String) -> Bool {
    let (a, b) = (primaryKey(left), primaryKey(right))
    if a != b { return a.lexicographicallyPrecedes(b) }
    // Only then the case decides, small letters first.
    let (c, d) = (cases(left), cases(right))
    return c != d ? c.lexicographicallyPrecedes(d) : left < right
  }

  /// What is not ASCII comes after everything that is, by its code.
  private static func primaryKey(_ name: String) -> [Int] {
    name.unicodeScalars.map { scalar in
      ranks[scalar] ?? ranks[scalar.properties.lowercaseMapping.unicodeScalars.first ?? scalar]
        ?? 1000 + Int(scalar.value)
    }
  }

  private static func cases(_ name: String) -> [Int] {
    name.unicodeScalars.map { $0.properties.isUppercase ? 1 : 0 }
  }
}

/// Whether a stored checksum is that of a script.
package struct ChecksumMatch {
  /// CRLF and LF count as the same, and a checksum of another length than 64 is one of the old kind, whose bytes lack their leading
  /// zeros.
  package static func matches(_ stored: String, _ script: String) throws(Failure) -> Bool {
    let unix = script.replacingOccurrences(of: "\r\n", with: "\n", options: .literal)
    let windows = script.replacingOccurrences(of: "\n", with: "\r\n", options: .literal)
    for text in [script, unix, windows] {
      let hash = try SHA256.hash(of: text)
      if stored == (stored.count == 64 || stored.isEmpty ? hash : legacy(hash)) { return true }
    }
    return false
  }

  private static func legacy(_ hash: String) -> String {
    var result = ""
    var digits = hash[...]
    while let high = digits.popFirst(), let low = digits.popFirst() {
      result += high == "0" ? "\(low)" : "\(high)\(low)"
    }
    return result
  }
}
