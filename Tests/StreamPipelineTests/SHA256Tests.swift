import StreamPipeline
import Testing

@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func `gives the answers of FIPS 180`(text: String, answer: String) throws {
    #expect(try SHA256.hash(of: text) == answer)
  }

  @Test func `gives the answer for a million letters, in pieces and in a file`() throws {
    let answer = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    var dice = Dice(1)
    let sha = try SHA256()
    for piece in dice.pieces(of: text, longest: 10_000) { piece.withUnsafeBytes { sha.update($0) } }
    #expect(sha.finish() == answer)
    let folder = try ScratchFolder()
    try folder.write(text, to: "a")
    let (bytes, hash) = try hashFile("\(folder.path)/a")
    #expect(bytes == 1_000_000)
    #expect(hash == answer)
  }
}
