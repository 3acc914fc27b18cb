import BackupModel
import Foundation
import StreamPipeline
import Testing

/// Scans a dump that has to be readable.
func scanned(
  _ pieces: [ArraySlice<UInt8>]
) throws -> (digest: DatabaseDigest, scanner: DumpScanner) {
  let scanner = DumpScanner(keepStatements: true)
  for piece in pieces { try piece.withUnsafeBytes { try scanner.scan($0) } }
  return (try scanner.finish(), scanner)
}

func scanned(_ text: [UInt8]) throws -> (digest: DatabaseDigest, scanner: DumpScanner) { try scanned([text[...]]) }

/// For each byte of a text, whether a dump that was cut behind it would be taken for a whole one.
func endings(of text: [UInt8]) throws -> [Bool] {
  let scanner = DumpScanner()
  return try text.map { byte in
    try withUnsafeBytes(of: byte) { try scanner.scan($0) }
    return (try? scanner.finish()) != nil
  }
}

/// A dump of one table with these rows.
func tableDump(_ rows: [[UInt8]]) -> [UInt8] {
  dump("COPY a.b (t) FROM stdin;\n").dropTail() + rows.flatMap { $0 + [0x0A] } + Array("\\.\n".utf8) + dump("").tail()
}

extension [UInt8] {
  private var endComment: Int {
    firstRange(of: Array("\n--\n-- PostgreSQL database dump complete".utf8))?.lowerBound ?? count
  }
  fileprivate func dropTail() -> [UInt8] { Array(self[..<(endComment - 1)]) }
  fileprivate func tail() -> [UInt8] { Array(self[endComment...]) }
}

/// Of this process.
func residentBytes() throws -> Int {
  let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  return try #require(fields.dropFirst().first.flatMap { Int($0) }) * Int(getpagesize())
}
