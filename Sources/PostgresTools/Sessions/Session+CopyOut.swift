import CLibPQ
import Diagnostics
import Foundation

/// Reading a table as pg_dump does: without a planner, so that no index, cast or policy that somebody made runs as us.
extension Session {
  /// The SQLSTATE of an answer that is larger than its limit: program_limit_exceeded.
  package static let tooLarge = "54000"

  /// Runs a `COPY … TO STDOUT` of the text format.
  ///
  /// - Parameter limit: of the answer, in bytes; beyond it the statement is cancelled, with `tooLarge`.
  /// - Returns: the rows, nil for NULL; fields that are not UTF-8 have U+FFFD in place of the bytes that are none.
  package func attemptCopyOut(_ statement: String, limit: Int) -> Result<[[String?]], ServerError> {
    limited {
      guard send(statement, []), waitForResult(), let begin = PQgetResult(connection) else { return .failure(lost()) }
      defer { PQclear(begin) }
      var outcome: Result<[[String?]], ServerError> = .success([])
      if PQresultStatus(begin) == PGRES_COPY_OUT {
        outcome = copiedRows(limit)
      } else {
        outcome = .failure(failed(begin))
      }
      while waitForResult(), let result = PQgetResult(connection) {
        if PQresultStatus(result) != PGRES_COMMAND_OK, case .success = outcome {
          outcome = .failure(failed(result))
        }
        PQclear(result)
      }
      return outcome
    }
  }

  private func failed(_ result: OpaquePointer) -> ServerError {
    var error = ServerError(result, stopped: stopSignal, endpoint: target.endpoint)
    error.excess = lateness ?? error.excess
    return error
  }

  private func copiedRows(_ limit: Int) -> Result<[[String?]], ServerError> {
    var (rows, bytes): ([[String?]], Int) = ([], 0)
    var wait = Wait()
    while true {
      var line: UnsafeMutablePointer<CChar>?
      let count = Int(PQgetCopyData(connection, &line, 1))
      defer { if let line { PQfreemem(line) } }
      switch count {
      case 1...:
        bytes += count
        // What comes after it is read and thrown away, until the server has heard.
        if bytes > limit {
          if bytes - count <= limit { cancelStatement() }
          rows = []
        } else if let line {
          rows.append(copiedFields(UnsafeRawBufferPointer(start: line, count: count)))
        }
      case 0:
        guard waitForInput(&wait) else { return .failure(lost()) }
      default:
        guard bytes > limit else { return .success(rows) }
        return .failure(tooLarge(limit))
      }
    }
  }
}

/// The fields of one line of COPY's text format, its newline included.
func copiedFields(_ line: UnsafeRawBufferPointer) -> [String?] {
  let bytes = line.last == UInt8(ascii: "\n") ? line.dropLast() : line[...]
  return bytes.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map { field in
    if field.elementsEqual([UInt8(ascii: "\\"), UInt8(ascii: "N")]) { return nil }
    var text: [UInt8] = []
    text.reserveCapacity(field.count)
    var isEscape = false
    for byte in field {
      if isEscape {
        text.append(escapes[byte] ?? byte)
        isEscape = false
      } else if byte == UInt8(ascii: "\\") {
        isEscape = true
      } else {
        text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// What a server writes behind a backslash for some control characters; all others it writes as they are.
private let escapes: [UInt8: UInt8] = [
  UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
  UInt8(ascii: "v"): 11,
]
