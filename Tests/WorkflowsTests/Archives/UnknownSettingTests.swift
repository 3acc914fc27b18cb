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

  private func isAll(_ text: String, exit: Int32 = 1, client: Int = 17, server: Int = 16) -> Bool {
    UnknownSetting(client: client, server: server).isAll(of: ChildExit(status: .exited(exit), standardError: text))
  }

  @Test func `wherever pg_restore knows no setting that the server does not, an error is an error`() {
    for (client, server) in [(14, 14), (16, 14), (17, 17), (18, 17), (18, 18)] {
      #expect(!isAll(Self.harmless + ignored(1), client: client, server: server))
      #expect(isAll("", exit: 0, client: client, server: server))
    }
  }

  @Test(arguments: [(17, 16), (17, 14), (18, 15)])
  func `its own setting is no error on an older server`(client: Int, server: Int) {
    #expect(isAll(Self.harmless + ignored(1), client: client, server: server))
    #expect(isAll(Self.harmless + Self.harmless + Self.harmless + ignored(2), client: client, server: server))
    #expect(isAll("", exit: 0, client: client, server: server))
  }

  @Test func `any other error next to it counts`() {
    for text in [Self.harmless + Self.harmful + ignored(2), Self.harmful + Self.harmless + ignored(2)] {
      #expect(!isAll(text))
    }
  }

  @Test func `an end that is not the end, a count too high and a flood are failures`() {
    let fatal = "pg_restore: error: could not write to output file: No space left on device\n"
    for text in [
      Self.harmless, Self.harmless + fatal, Self.harmless + ignored(2), "", ignored(1),
      String(repeating: Self.harmless, count: 400) + ignored(400),
    ] { #expect(!isAll(text), "\(text.prefix(200))") }
    #expect(!isAll(Self.harmless + ignored(1), exit: 2))
  }
}
