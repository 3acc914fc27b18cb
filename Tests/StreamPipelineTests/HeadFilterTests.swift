import Diagnostics
import StreamPipeline
import Testing

@Suite struct HeadFilterTests {
  private static let line = "SET transaction_timeout = 0;"

  private func filtered(_ text: String, pieces: Int) throws -> String {
    var passed: [UInt8] = []
    let filter = HeadFilter(without: Self.line)
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      try Array(bytes[start..<min(start + pieces, bytes.count)]).withBytes { (piece) throws(Failure) in
        try filter.take(piece) { passed += $0 }
      }
    }
    try filter.finish { passed += $0 }
    return String(decoding: passed, as: UTF8.self)
  }

  @Test(arguments: [1, 7, 4095, 4096, 100_000]) func `the line goes, wherever the text is split`(pieces: Int) throws {
    let rest = String(repeating: "x\n", count: 5000)
    #expect(
      try filtered("-- dump\n\(Self.line)\nSET a = 1;\n\(rest)", pieces: pieces) == "-- dump\nSET a = 1;\n\(rest)")
    #expect(try filtered("-- dump\n\(Self.line)\n", pieces: pieces) == "-- dump\n")
    #expect(try filtered("-- dump\nSET a = 1;\n\(rest)", pieces: pieces) == "-- dump\nSET a = 1;\n\(rest)")
    #expect(try filtered("", pieces: pieces) == "")
  }

  @Test(arguments: [1, 4096, 100_000]) func `the same text further behind is data`(pieces: Int) throws {
    let text = String(repeating: "x\n", count: 3000) + "\(Self.line)\n"
    #expect(try filtered(text, pieces: pieces) == text)
  }
}
