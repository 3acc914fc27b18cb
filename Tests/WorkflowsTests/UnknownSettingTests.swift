import Diagnostics
import PostgresTools
import Testing
import Workflows

@Suite struct UnknownSettingTests {
  private static let harmless = """
    pg_restore: error: could not execute query: FEHLER: unbekannter Konfigurationsparameter »transaction_timeout«
    Command was: SET transaction_timeout = 0;

    """
  private static let harmful = """
    pg_restore: error: could not execute query: ERROR:  type "public.citext" does not exist
    Command was: CREATE TABLE public.t (a public.citext);

    """
  private func ignored(_ count: Int) -> String { "pg_restore: warning: errors ignored on restore: \(count)\n" }

  private func check(_ text: String, exit: Int32 = 1, client: Int = 17, server: Int = 16) throws(Failure) {
    try UnknownSetting(client: client, server: server).check(ChildExit(status: .exited(exit), standardError: text))
  }

  @Test func `pg_restore ends at its first error wherever it knows no setting that the server does not`() {
    for (client, server) in [(14, 14), (16, 14), (17, 17), (18, 17), (18, 18)] {
      #expect(UnknownSetting(client: client, server: server).arguments == ["--exit-on-error"])
      #expect(throws: Failure.self) { try check(Self.harmless + ignored(1), client: client, server: server) }
    }
  }

  @Test(arguments: [(17, 16), (17, 14), (18, 15)])
  func `its own setting is no error on an older server`(client: Int, server: Int) throws {
    #expect(UnknownSetting(client: client, server: server).arguments == [])
    try check(Self.harmless + ignored(1), client: client, server: server)
    try check(Self.harmless + Self.harmless + Self.harmless + ignored(2), client: client, server: server)
    try check("", exit: 0, client: client, server: server)
  }

  @Test func `any other error beside it is the one that is told`() throws {
    for text in [Self.harmless + Self.harmful + ignored(2), Self.harmful + Self.harmless + ignored(2)] {
      let failure = #expect(throws: Failure.self) { try check(text) }
      #expect(failure?.details.joined().contains("citext") == true || failure?.why.contains("citext") == true)
    }
  }

  @Test func `an end that is not the end, a count too high and a flood are failures`() {
    let fatal = "pg_restore: error: could not write to output file: No space left on device\n"
    for text in [
      Self.harmless, Self.harmless + fatal, Self.harmless + ignored(2), "", ignored(1),
      String(repeating: Self.harmless, count: 400) + ignored(400),
    ] { #expect(throws: Failure.self, "\(text.prefix(200))") { try check(text) } }
    #expect(throws: Failure.self) { try check(Self.harmless + ignored(1), exit: 2) }
  }
}
