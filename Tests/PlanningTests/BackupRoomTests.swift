import BackupModel
import Planning
import Testing

@Suite struct BackupRoomTests {
  private static let megabyte: UInt64 = 1_000_000

  /// A backup of 80 MB, 300 MB raw.
  private func room(
    _ format: BackupFormat = .directory, _ compression: Compression = .auto, jobs: Int = 2, givesBack: Bool = true
  ) -> BackupRoom {
    BackupRoom(
      stored: 80 * Self.megabyte, raw: 300 * Self.megabyte, format: format, compression: compression, jobs: jobs,
      givesBack: givesBack)
  }

  @Test func `counts what a backup takes while it is taken`() {
    #expect(room().backups(in: 193 * Self.megabyte) == 0)
    #expect(room().backups(in: 220 * Self.megabyte) == 1)
    #expect(room(jobs: 1).backups(in: 228 * Self.megabyte) == 2)
    // Never more than all of it, raw.
    #expect(room(jobs: 64).backups(in: 380 * Self.megabyte) == 1)
    #expect(room(givesBack: false).backups(in: 379 * Self.megabyte) == 0)
  }

  @Test(arguments: [(BackupFormat.plain, Compression.auto), (.custom, .auto), (.directory, .none)])
  func `what never lies raw beside what is stored takes nothing more`(format: BackupFormat, compression: Compression) {
    #expect(room(format, compression, givesBack: false).backups(in: 160 * Self.megabyte) == 2)
  }

  @Test func `says it in words that fit the number`() {
    #expect(
      room().text(free: 10 * Self.megabyte).contains("room for no more backup: the last one takes 80.0 MB (and 134 MB"))
    #expect(room().text(free: 220 * Self.megabyte).contains("room for about 1 more backup:"))
    #expect(room().text(free: 400 * Self.megabyte).hasSuffix("room for about 3 more backups"))
    #expect(room().text(free: 1 << 50).hasSuffix("room for more than 1000 backups"))
  }
}
