import PolicyFiles
import Testing

@Suite struct PolicyTemplateTests {
  @Test(arguments: ["production", "it's: a \"#\" [x]", "off", "null", "~x", "", "- a", "größe", "a\nb: c"])
  func `it parses and gives back what was put in`(environment: String) throws {
    let text = PolicyTemplate.text(
      environment: environment.isEmpty ? "x" : environment, databaseURLVariable: "APP_DB", repository: "../b's: #1")
    let read = try policy(text, environment: ["APP_DB": secretURL])
    #expect(read.environment == (environment.isEmpty ? "x" : environment.replacing("\n", with: " ")))
    #expect(read.target == .unread(secretURL))
    #expect(read.repository == "/srv/app/b's: #1")
  }

  @Test func `it says what holds when it says nothing`() throws {
    let text = PolicyTemplate.text(
      environment: "development", databaseURLVariable: "DATABASE_URL", repository: "../backups")
    // But that a job which does not run is seen.
    #expect(try policy(text).backup.maxAge == .seconds(26 * 3600))
    #expect(try policy(text.replacing("max_age: 26h", with: "max_age: null")) == policy(adding: ""))
  }

  @Test func `every key that works now is in it, and no other`() {
    let text = PolicyTemplate.text(environment: "x", databaseURLVariable: "X", repository: "y")
    let paths = PolicyLine.all(in: text).filter { !$0.isSection }.map(\.path)
    #expect(paths.sorted() == PolicyTable.keys.filter { !$0.comesLater }.map(\.path).sorted())
  }
}
