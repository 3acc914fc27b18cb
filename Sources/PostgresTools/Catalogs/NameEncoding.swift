import BackupModel
import CProcess

/// Names of a database whose dump is not in UTF-8: in a dump, and so in a manifest, each byte of such a name stands for a character.
package struct NameEncoding: Sendable {
  /// As iconv calls the dump's encoding; nil: the dump is in UTF-8, or nobody knows what its bytes mean.
  private let name: String?

  /// - Parameter encoding: of a dump that is not in UTF-8, as PostgreSQL calls it.
  package init(ofDump encoding: String?) { name = encoding.flatMap { Self.names[$0] } }

  /// A name as somebody types it, as it stands in the dump.
  package func inDump(_ typed: String) -> String {
    guard let name, let bytes = convert(Array(typed.utf8), to: name, from: "UTF-8") else { return typed }
    return String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map(UnicodeScalar.init)))
  }

  /// A name of the dump, as it is typed.
  package func shown(_ text: String) -> String {
    let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
    guard let name, bytes.count == text.unicodeScalars.count, let shown = convert(bytes, to: "UTF-8", from: name) else {
      return text
    }
    return String(validating: shown, as: UTF8.self) ?? text
  }

  private func convert(_ bytes: [UInt8], to: String, from: String) -> [UInt8]? {
    var converted = [UInt8](repeating: 0, count: 4 * bytes.count + 16)
    let room = converted.count
    let count = bytes.withUnsafeBytes { source in
      converted.withUnsafeMutableBytes { target in
        cprocess_convert(
          to, from, source.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count,
          target.baseAddress?.assumingMemoryBound(to: CChar.self), room)
      }
    }
    return count < 0 ? nil : Array(converted.prefix(count))
  }

  /// Of the encodings that dumps keep.
  private static let names = [
    "EUC_JP": "EUC-JP", "EUC_CN": "EUC-CN", "EUC_KR": "EUC-KR", "EUC_TW": "EUC-TW", "EUC_JIS_2004": "EUC-JISX0213",
    "LATIN3": "ISO-8859-3", "ISO_8859_6": "ISO-8859-6", "ISO_8859_7": "ISO-8859-7", "ISO_8859_8": "ISO-8859-8",
    "WIN1250": "CP1250", "WIN1251": "CP1251", "WIN1252": "CP1252", "WIN1253": "CP1253", "WIN1254": "CP1254",
    "WIN1255": "CP1255", "WIN1257": "CP1257", "WIN1258": "CP1258", "WIN874": "CP874",
  ]
}
