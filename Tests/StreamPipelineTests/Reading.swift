import BackupModel
import Diagnostics
import StreamPipeline

/// What a reader made of a dump.
enum Reading: Equatable {
  case refused(String)
  case read(Content)

  struct Content: Equatable {
    var tables: [TableDigest] = []
    var sequences = CountedDigest(count: 0, digest: naiveDigest([]))
    var statements: [String] = []
  }

  /// By the scanner, piece by piece.
  init(scanning pieces: [ArraySlice<UInt8>]) {
    let scanner = DumpScanner(keepStatements: true)
    do {
      for piece in pieces { try piece.withUnsafeBytes { try scanner.scan($0) } }
      let digest = try scanner.finish()
      self = .read(
        Content(tables: digest.tables, sequences: digest.sequences, statements: scanner.statements.map(\.text)))
    } catch {
      self = .refused((error as? Failure)?.code ?? "\(error)")
    }
  }

  /// By the naive reader.
  init(naively text: [UInt8]) {
    let dump = NaiveDump(text)
    var contents = NaiveContents()
    for item in dump.items {
      if let refusal = contents.take(item) {
        self = .refused(refusal)
        return
      }
    }
    self = contents.isWhole && dump.endsBetweenStatements ? .read(contents.content) : .refused("dump_cut_short")
  }
}

/// A body between the comments that every dump begins and ends with.
func dump(_ body: String) -> [UInt8] {
  Array(
    """
    --
    -- PostgreSQL database dump
    --

    \\restrict Zo5Y

    SET client_encoding = 'UTF8';
    SELECT pg_catalog.set_config('search_path', '', false);

    \(body)

    --
    -- PostgreSQL database dump complete
    --

    \\unrestrict Zo5Y

    """.utf8)
}
