import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A JSON object on one line that ends with the SHA-256 of what stands before: the files that may change after a backup was
/// made are not in its manifest, and still a changed byte in them must show. The id of what it belongs to is hashed with it: another
/// backup's line is none of this one's.
enum SealedLine {
  private static let mark = ",\"sha256\":\""

  static func seal(_ value: some Encodable, of id: String) throws(Failure) -> [UInt8] {
    let encoder = Manifest.encoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { throw .internalError("a record cannot be encoded") }
    let body = String(decoding: data, as: UTF8.self).dropLast()
    return Array("\(body)\(mark)\(try SHA256.hash(of: id + body))\"}\n".utf8)
  }

  /// - Returns: nil when the line was changed since it was written.
  static func open<Value: Decodable>(_ line: Substring, of id: String, as type: Value.Type) -> Value? {
    guard let seal = line.range(of: mark, options: .backwards), line.hasSuffix("\"}") else { return nil }
    let body = line[..<seal.lowerBound]
    guard let sha = try? SHA256.hash(of: id + body), line[seal.upperBound...] == sha + "\"}" else { return nil }
    return try? Manifest.decoder().decode(type, from: Data((body + "}").utf8))
  }
}
