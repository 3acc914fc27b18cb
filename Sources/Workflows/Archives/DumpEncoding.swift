import BackupModel

extension DatabaseProperties {
  /// pg_dump's option for a database whose text does not survive the way through UTF-8, which every other one is dumped in: some of its
  /// characters have no equivalent there, or come back as others. Measured with `convert` on PostgreSQL 15, byte by byte.
  var dumpEncoding: [String] {
    let survive = ["UTF8", "ISO_8859_5", "KOI8R", "KOI8U", "WIN866", "WIN1256"]
    if survive.contains(encoding) || (encoding.hasPrefix("LATIN") && encoding != "LATIN3") { return [] }
    return ["--encoding=\(encoding)"]
  }
}
