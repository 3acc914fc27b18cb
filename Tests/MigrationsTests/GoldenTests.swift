import TestSupport
import Testing

@Suite struct GoldenTests {
  @Test(arguments: GoldenCase.names)
  func `every golden state is read and resolved as Prisma does it`(_ name: String) throws {
    let found = try problems(of: GoldenCase(named: name), playingDeploys: false)
    #expect(found == [])
  }

  @Test(arguments: GoldenCase.names)
  func `every golden deploy ends as Prisma's does, or better`(_ name: String) throws {
    let found = try problems(of: GoldenCase(named: name), playingDeploys: true)
    #expect(found == [])
  }

  @Test func `there are golden cases`() {
    #expect(GoldenCase.names.count >= 30)
  }

  /// What the comparison would be worth otherwise.
  @Test(arguments: [
    Damage(row: "end") { $0.isFinished.toggle() },
    Damage(row: "rollback") { $0.isRolledBack.toggle() },
    Damage(row: "checksum") { $0.checksum = "0" },
    Damage(row: "logs") { $0.logs = "text" },
    Damage("a row less") { $0.rows = $0.rows?.dropLast() },
    Damage("an exit code") { $0.exit = 1 - $0.exit },
    Damage("an error code") { $0.stderr = $0.stderr.replacing("P3012", with: "P3099") },
    Damage("a pending name") { $0.stdout = $0.stdout.replacing("add_name", with: "add") },
  ])
  func `a golden case that is damaged is not played alike`(_ damage: Damage) throws {
    var golden = try GoldenCase(named: "finished-and-rolled-back")
    golden.steps = golden.steps.map {
      guard case .run(var command) = $0 else { return $0 }
      damage.apply(&command)
      return .run(command)
    }
    let found = try problems(of: golden, playingDeploys: false)
    #expect(found != [])
  }

  private func problems(of golden: GoldenCase, playingDeploys: Bool) throws -> [String] {
    try Workbench.with { bench in
      let player = try GoldenPlayer(golden, on: bench, playingDeploys: playingDeploys)
      try player.play()
      #expect(try eventually { try bench.sessions() == 0 })
      return player.problems
    }
  }
}

struct Damage: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let apply: @Sendable (inout GoldenCase.Command) -> Void

  init(_ what: String, _ apply: @escaping @Sendable (inout GoldenCase.Command) -> Void) {
    testDescription = what
    self.apply = apply
  }

  init(row what: String, _ apply: @escaping @Sendable (inout GoldenRow) -> Void) {
    self.init("a row's \(what)") { command in
      command.rows = command.rows?.map {
        var row = $0
        apply(&row)
        return row
      }
    }
  }
}
