import Diagnostics
import Planning
import Testing

@Suite struct ClientChoiceTests {
  @Test(arguments: [
    ("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", 15, 20), ("pg_dump (PostgreSQL) 18beta1", 18, 0),
    ("pg_dump (PostgreSQL) 17.0", 17, 0), ("pg_dump (PostgreSQL) 14.25 (Ubuntu 14.25-1.pgdg22.04+1)", 14, 25),
    ("pg_dump (PostgreSQL) 19devel", 19, 0),
  ])
  func `reads the version that a client prints`(printed: String, major: Int, minor: Int) {
    #expect(ClientVersion(printed: printed) == ClientVersion(major: major, minor: minor))
  }

  @Test(arguments: ["", "pg_dump", "15.20", "pg_dump (EnterpriseDB) 15.20", "pg_dump (PostgreSQL) fifteen"])
  func `reads no version from anything else`(printed: String) {
    #expect(ClientVersion(printed: printed) == nil)
  }

  @Test(arguments: [
    (14, 24, "14.25"), (14, 25, nil), (15, 19, "15.20"), (15, 20, nil), (16, 15, "16.16"), (17, 11, "17.12"),
    (18, 6, "18.7"), (18, 7, nil), (13, 0, nil), (19, 0, nil),
  ])
  func `knows the oldest safe minor of each major`(major: Int, minor: Int, floor: String?) {
    #expect(ClientVersion(major: major, minor: minor).floor?.description == floor)
  }

  @Test func `orders versions by number`() {
    #expect(ClientVersion(major: 9, minor: 6) < ClientVersion(major: 10, minor: 0))
    #expect(ClientVersion(major: 15, minor: 9) < ClientVersion(major: 15, minor: 10))
  }

  @Test(arguments: [
    ([15], 15, 15), ([14, 15, 16], 15, 15), ([14, 17, 16], 15, 16), ([18], 14, 18), ([14, 13], 13, 13),
  ])
  func `takes the server's own major, else the next newer`(majors: [Int], server: Int, chosen: Int) throws {
    #expect(try chooseClient(for: server, among: majors.map { client($0, 0) }).version.major == chosen)
  }

  @Test func `takes the newest minor of the major, in whatever order they were found`() throws {
    let clients = [client(15, 3), client(15, 20), client(15, 9), client(16, 30)]
    for order in [clients, clients.reversed()] {
      #expect(try chooseClient(for: 15, among: order).version == ClientVersion(major: 15, minor: 20))
    }
  }

  @Test func `says that there is no client, or none new enough`() throws {
    let missing = try #require(throws: Failure.self) { try chooseClient(for: 16, among: []) }
    #expect(missing.code == "client_missing")
    #expect(missing.exit == .unavailable)
    let demanded = try #require(throws: Failure.self) { try chooseClient(for: 16, among: [], demanded: "/opt/pg") }
    #expect(demanded.why.contains("/opt/pg"))
    let old = try #require(throws: Failure.self) { try chooseClient(for: 16, among: [client(14, 1), client(15, 2)]) }
    #expect(old.code == "client_too_old")
    #expect(old.why.contains("15.2"))
    #expect(old.nextStep.contains("postgresql-client-16"))
  }

  private func client(_ major: Int, _ minor: Int) -> ClientInstallation {
    ClientInstallation(directory: "/pg/\(major).\(minor)", version: ClientVersion(major: major, minor: minor))
  }
}
