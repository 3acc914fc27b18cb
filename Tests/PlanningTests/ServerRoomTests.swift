import Planning
import Testing

@Suite struct ServerRoomTests {
  @Test func `the log counts, up to what the server keeps of it`() {
    let room = ServerRoom(needed: 600_000_000, longestLog: 1 << 30, free: 1_200_000_000)
    #expect(!room.isShort)
    #expect(room.text == "up to 600 MB on the server's disk, and up to 600 MB of WAL (1.2 GB free)")
    #expect(ServerRoom(needed: 600_000_000, longestLog: 64_000_000, free: 664_000_000).isShort == false)
    #expect(ServerRoom(needed: 600_000_000, longestLog: 64_000_000, free: 663_999_999).isShort)
  }

  @Test func `where it is too little that is said`() {
    let room = ServerRoom(needed: 600_000_000, longestLog: 1 << 30, free: 1_199_999_999)
    #expect(room.isShort && room.text.hasSuffix("(only 1.2 GB free)"))
  }

  @Test func `what nobody can look at is not said to be enough, or too little`() {
    let room = ServerRoom(needed: 600_000_000, longestLog: nil, free: nil)
    #expect(!room.isShort && room.text == "up to 600 MB on the server's disk")
  }
}
