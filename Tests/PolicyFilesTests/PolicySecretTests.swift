import Diagnostics
import PolicyFiles
import Testing

/// No error shows `database.url`, or what came from the environment.
@Suite struct PolicySecretTests {
  @Test(arguments: [
    ("environment: ${A}", "environment: the environment variable A is not set"),
    ("environment: x${A}${B}", "environment: the environment variable B is not set"),
    ("environment: ${", "environment: a ${ is not closed by a }"),
    ("environment: ${A", "environment: a ${ is not closed by a }"),
    ("environment: ${}", "environment: between ${ and } stands one name of letters, digits and _, and nothing else"),
    ("environment: ${A:-hunter2}", "environment: between ${ and } stands one name"),
    ("environment: ${1A}", "environment: between ${ and } stands one name"),
    ("backup:\n  exclude_table_data:\n    - ${A}", "backup.exclude_table_data: the environment variable A is not set"),
    ("environment: ${EMPTY}", "environment: is empty: ${EMPTY} is set, but empty"),
    ("environment: ${LINES}", "environment: holds a line break, a tab or another control character: see ${LINES}"),
    ("backup:\n  jobs: ${SECRET}", "backup.jobs: must be auto or a whole number from 1 to 64, which the"),
    ("backup:\n  jobs: \"${FOUR}\"", "backup.jobs: must be a number, not text: take the quotes away"),
    ("backup:\n  format: ${SECRET}", "backup.format: must be directory, custom or plain, which the value"),
    ("schedule:\n  cron: ${SECRET}", "schedule.cron: must be a cron expression such as \"15 2 * * *\" or @daily"),
    ("schedule:\n  timezone: ${SECRET}", "schedule.timezone: must be a time zone such as UTC or Europe/Berlin, which"),
    ("backup:\n  exclude_table_data: ${SECRET}", "backup.exclude_table_data: must be a list of texts, such as"),
  ])
  func `a variable is named and its value is not shown`(text: String, problem: String) throws {
    let environment = [
      "DATABASE_URL": secretURL, "EMPTY": "", "LINES": "hunter2\nx", "SECRET": "hunter2", "FOUR": "4",
    ]
    let failure = try failure(of: withURL(text), environment: environment)
    #expect(failure.details.contains { $0.contains(problem) }, "\(failure.details)")
    #expect(!failure.lines.joined().contains("hunter2"))
  }

  @Test(arguments: [
    "database: postgresql://app:hunter2@db/app", "database: {url: [postgresql://app:hunter2@db/app]}",
    "database: {'postgresql://app:hunter2@db/app'}", "postgresql://app:hunter2@db/app: x",
    "database:\n  url: \"postgresql://app:hunter2@db/app\\n\"", "database:\n  url: ${X}postgresql://app:hunter2@db/app",
    "database:\n  url: a: postgresql://app:hunter2@db/app", "database:\n url: 'postgresql://app:hunter2@db/app",
    "backup: {jobs: 'postgresql://app:hunter2@db/app'}", "backup: {format: password=hunter2}",
    "'host=db password=hunter2': x", "backup: {'app:hunter2@db': 1}",
  ])
  func `a connection written into the file is not shown`(text: String) throws {
    let failure = try failure(of: text)
    #expect(!failure.lines.joined().contains("hunter2"), "\(failure.lines)")
  }

  @Test func `when only variables are missing the next step is to set them`() throws {
    let failure = try failure(of: withURL("environment: ${B}${C}${B}"), environment: [:])
    #expect(failure.nextStep == "set DATABASE_URL, B, C in the environment, then: holdfast check app")
    #expect(failure.why == "3 problems")
  }
}
