import Diagnostics
import Foundation
import Migrations
import Testing

@Suite struct MigrationFolderTests {
  @Test func `folders count, hidden ones too; files and links do not`() throws {
    try MigrationsOnDisk.with { folder in
      try folder.add("b")
      try folder.add(".hidden")
      try folder.add("any name  ü")
      try folder.write(["a.sql": "SELECT 1;", "migration.sql": "SELECT 1;"])
      try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/link", withDestinationPath: "b")
      try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/nowhere", withDestinationPath: "x")
      #expect(try MigrationFolder(path: folder.path).migrations.map(\.name) == [".hidden", "any name  ü", "b"])
      #expect(try MigrationFolder(path: folder.path + "/").migrations.map(\.name) == [".hidden", "any name  ü", "b"])
    }
  }

  @Test func `a folder that is missing has no migrations and no lock`() throws {
    try MigrationsOnDisk.with { folder in
      let read = try MigrationFolder(path: "\(folder.path)/missing")
      #expect(read.migrations == [])
      #expect(read.lockedProvider == nil)
      try read.checkProvider()
    }
  }

  @Test func `the first byte that is no UTF-8 is told by its line and place`() throws {
    for (bytes, problem) in [
      ([0x41, 0x0A, 0x42, 0xE9], "line 2, byte 2: 0xE9 is not UTF-8"), ([0xFF], "line 1, byte 1: 0xFF is not UTF-8"),
      ([0xC3, 0x0A, 0xA4], "line 1, byte 1: 0xC3 is not UTF-8"), ([0xC3, 0xA4, 0x0A], nil), ([0xEF, 0xBB, 0xBF], nil),
      ([], nil),
    ] as [([UInt8], String?)] {
      try MigrationsOnDisk.with { folder in
        try folder.add("1")
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/1/migration.sql"))
        let script = try #require(try MigrationFolder(path: folder.path).migration("1"))
        #expect(script.encodingProblem == problem)
        #expect((script.refusal == nil) == (problem == nil))
      }
    }
  }

  /// A loop of links cannot be read, whoever asks.
  @Test func `a folder or a script that cannot be read is an error, and never one without migrations`() throws {
    try MigrationsOnDisk.with { folder in
      try folder.write(["file": "", "app/1/x": ""])
      for (link, target) in [("loop", "loop"), ("app/1/migration.sql", "migration.sql")] {
        try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/\(link)", withDestinationPath: target)
      }
      for name in ["file", "loop", "app"] {
        let failure = try #require(throws: Failure.self) { try MigrationFolder(path: "\(folder.path)/\(name)") }
        #expect(failure.code == "cannot_read")
      }
    }
  }

  @Test func `a script that is missing, a folder, or a link to nowhere has no text and no checksum`() throws {
    try MigrationsOnDisk.with { folder in
      try folder.write([
        "1/down.sql": "", "2/migration.sql/x": "", "3/x": "", "4/Migration.sql": "", "5/x": "SELECT 5;",
      ])
      let links = [("3", "nowhere"), ("5", "x")]
      for (name, destination) in links {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder.path)/\(name)/migration.sql", withDestinationPath: destination)
      }
      let migrations = try MigrationFolder(path: folder.path).migrations
      #expect(migrations.map(\.text) == [nil, nil, nil, nil, "SELECT 5;"])
      #expect(try migrations.map { try $0.checksum() == nil } == [true, true, true, true, false])
    }
  }

  /// Bytes of a script, and those that Node makes of them: they are what is hashed.
  @Test(arguments: [
    ("", ""), ("abc\n".hexadecimal, "abc\n".hexadecimal), ("efbbbf61", "efbbbf61"), ("610062", "610062"),
    ("610d0a", "610d0a"), ("61ff62", "61efbfbd62"), ("e282", "efbfbd"), ("e28241", "efbfbd41"),
    ("f09f98", "efbfbd"), ("c0af", "efbfbdefbfbd"), ("eda080", "efbfbdefbfbdefbfbd"),
    ("f0808080", "efbfbdefbfbdefbfbdefbfbd"), ("f4908080", "efbfbdefbfbdefbfbdefbfbd"),
  ])
  func `a script's bytes are kept, and what is not UTF-8 becomes what Node makes of it`(
    _ bytes: String, _ expected: String
  ) throws {
    try MigrationsOnDisk.with { folder in
      try folder.write(Data(hexadecimal: bytes), to: "1/migration.sql")
      let script = try #require(try MigrationFolder(path: folder.path).migration("1"))
      #expect(script.text?.hexadecimal == expected)
    }
  }

  @Test(arguments: [
    ("hello", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    (
      "CREATE ENUM MyBoolean ( \"TRUE\", \"FALSE\" )",
      "e0c9674d3b332d71b8bc304aae5b7b8a8bb8ec720e07072429fb20d8cc69a864"
    ),
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  ])
  func `the checksum is the SHA-256 of the text`(_ text: String, _ checksum: String) throws {
    #expect(try MigrationScript(name: "1", text: text).checksum() == checksum)
    #expect(try MigrationScript(name: "1", text: text + "\n").checksum() != checksum)
  }

  @Test(arguments: [
    ("# comment\nprovider = \"postgresql\"\n", "postgresql"),
    ("provider = \"postgresql\"", "postgresql"),
    ("# comment\r\nprovider = \"postgresql\"\r\n", "postgresql"),
    ("provider = provider = \"postgresql\"\n", "postgresql"),
    ("provider = postgresql\n", "postgresql"),
    ("provider = \"\"postgresql\"\"\n", "postgresql"),
    ("#provider = \"mysql\"\nprovider = \"postgresql\"\n", "postgresql"),
    // Only a line feed ends a line.
    ("# x\u{2028}provider = \"mysql\"\nprovider = \"postgresql\"\n", "postgresql"),
    ("# x\rprovider = \"mysql\"\nprovider = \"postgresql\"\n", "postgresql"),
  ])
  func `the provider of the lock file is read where Prisma reads it`(_ text: String, _ provider: String) throws {
    try MigrationsOnDisk.with { folder in
      try folder.write(["migration_lock.toml": text])
      let read = try MigrationFolder(path: folder.path)
      #expect(read.lockedProvider == provider)
      try read.checkProvider()
    }
  }

  @Test(arguments: [
    ("", "<PROVIDER NOT FOUND>"),
    ("\n\n", "<PROVIDER NOT FOUND>"),
    (" provider = \"postgresql\"\n", "<PROVIDER NOT FOUND>"),
    ("\u{FEFF}provider = \"postgresql\"\n", "<PROVIDER NOT FOUND>"),
    ("provider = \"mysql\"\nprovider = \"postgresql\"\n", "mysql"),
    ("provider = \"postgres\"\n", "postgres"),
    ("provider = 'postgresql'\n", "'postgresql'"),
    ("provider=\"postgresql\"\n", "provider=\"postgresql"),
    ("provider = \"postgresql\" \n", "postgresql\" "),
    ("provider = \"postgresql\" # ours\n", "postgresql\" # ours"),
    ("provider  = \"postgresql\"\n", "provider  = \"postgresql"),
    ("providers = \"postgresql\"\n", "providers = \"postgresql"),
    ("provider = \"\"\n", ""),
  ])
  func `any other spelling is refused as Prisma refuses it`(_ text: String, _ provider: String) throws {
    try MigrationsOnDisk.with { folder in
      try folder.write(["migration_lock.toml": text])
      let read = try MigrationFolder(path: folder.path)
      #expect(read.lockedProvider == provider)
      let refusal = try failure { try read.checkProvider() }
      #expect(refusal.code == "P3019")
      #expect(refusal.exit == .failed)
      #expect(refusal.why.contains("`\(provider)`"))
    }
  }
}

extension String {
  var hexadecimal: String { utf8.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined() }
}

extension Data {
  init(hexadecimal: String) {
    var digits = hexadecimal[...]
    self.init()
    while !digits.isEmpty {
      if let byte = UInt8(digits.prefix(2), radix: 16) { append(byte) }
      digits = digits.dropFirst(2)
    }
  }
}
