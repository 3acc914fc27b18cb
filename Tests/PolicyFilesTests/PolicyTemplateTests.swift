import PolicyFiles
import Testing

@Suite struct PolicyTemplateTests {
  @Test(arguments: ["production", "it's: a \"#\" [x]", "off", "null", "~x", "", "- a", "größe", "a\nb: c"])
  func `it parses and gives back what was put in`(environment: String) throws {
    let text = PolicyTemplate.text(
      environment: environment.isEmpty ? "x" : environment, databaseURLVariable: "APP_DB", repository: "../b's: #1")
    let read = try policy(text, environment: ["APP_DB": secretURL])
    #expect(read.environment == (environment.isEmpty ? "x" : environment.replacing("\n", with: " ")))
    #expect(read.databaseURL.reveal() == secretURL)
    #expect(read.repository == "/srv/app/b's: #1")
  }

  @Test func `it says what holds when it says nothing`() throws {
    let text = PolicyTemplate.text(
      environment: "development", databaseURLVariable: "DATABASE_URL", repository: "../backups")
    #expect(try policy(text) == policy(adding: ""))
  }

  @Test func `every key that works now is in it, and no other`() {
    let text = PolicyTemplate.text(environment: "x", databaseURLVariable: "X", repository: "y")
    let paths = PolicyLine.all(in: text).filter { !$0.isSection }.map(\.path)
    #expect(paths.sorted() == PolicyTable.keys.filter { !$0.comesLater }.map(\.path).sorted())
  }
}
