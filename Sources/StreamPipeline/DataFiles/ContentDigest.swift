import BackupModel
import Diagnostics

/// What a data file of a directory archive holds, by its name.
package enum DataFileKind: Sendable, Equatable {
  /// `3412.dat`: the rows of a table.
  case rows
  /// `blob_16393.dat`: one large object.
  case largeObject(oid: UInt32)
  /// `toc.dat`, `blobs.toc`: read by pg_restore as they are.
  case contents

  /// - Parameter name: without `.zst`.
  package init(name: String) {
    let stem = name.hasSuffix(".dat") ? name.dropLast(4) : ""
    if let first = stem.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
      self = .rows
    } else if stem.hasPrefix("blob_"), let oid = UInt32(stem.dropFirst(5)) {
      self = .largeObject(oid: oid)
    } else {
      self = .contents
    }
  }
}

/// The digest of one data file's content, once it was read to its end.
package enum ContentDigest: Sendable, Equatable {
  case rows(count: UInt64, digest: String)
  case largeObject(oid: UInt32, fingerprint: String)
}

/// Digests one data file while its bytes pass.
struct ContentScanner {
  private enum Reading {
    case rows(CopyRows)
    case largeObject(oid: UInt32, ObjectContent)
    case nothing
  }
  private var reading: Reading

  init(_ kind: DataFileKind) {
    reading =
      switch kind {
      case .rows: .rows(CopyRows())
      case .largeObject(let oid): .largeObject(oid: oid, ObjectContent())
      case .contents: .nothing
      }
  }

  mutating func scan(_ bytes: UnsafeRawBufferPointer) {
    switch reading {
    case .rows(var rows):
      reading = .nothing  // so that the hash state has one owner
      _ = rows.take(bytes)
      reading = .rows(rows)
    case .largeObject(_, let content): content.append(bytes)
    case .nothing: break
    }
  }

  /// - Throws: `dump_cut_short` when a table's rows lack their end line.
  func finish(name: String) throws(Failure) -> ContentDigest? {
    switch reading {
    case .rows(let rows):
      guard rows.finished else {
        throw Failure(
          "dump_cut_short", exit: .dataDamaged, what: "reading \(name)", why: "its rows lack their end line",
          nextStep: "take another backup")
      }
      return .rows(count: rows.rows, digest: rows.digest)
    case .largeObject(let oid, let content): return .largeObject(oid: oid, fingerprint: content.fingerprint())
    case .nothing: return nil
    }
  }
}
