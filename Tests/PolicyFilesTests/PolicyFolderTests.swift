import Diagnostics
import Foundation
import PolicyFiles
import Testing

@Suite struct PolicyFolderTests {
  private let reader = PolicyReader(environment: onlyURL)

  private func write(_ files: [String: String], in folder: String) throws {
    for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: folder + "/" + name)) }
  }

  @Test func `the policies are the stems of its YAML files`() throws {
    try withFolder { folder in
      let other = ["b.yml": "", "a.yaml": "", "notes.txt": "", ".hidden.yaml": "", "c.yaml~": "", ".yaml": ""]
      try write(other, in: folder)
      try FileManager.default.createDirectory(atPath: folder + "/d.yaml", withIntermediateDirectories: true)
      #expect(try PolicyFolder(path: folder).names() == ["a", "b"])
    }
  }

  @Test(arguments: ["app.yaml", "app.yml"])
  func `the only policy needs no name`(file: String) throws {
    try withFolder { folder in
      try write([file: withURL("environment: staging")], in: folder)
      let unnamed = try PolicyFolder(path: folder).load(nil, reader: reader)
      #expect(unnamed.name == "app")
      #expect(unnamed.environment == "staging")
      #expect(try PolicyFolder(path: folder + "/").load("app", reader: reader) == unnamed)
    }
  }

  @Test func `among several one must be named`() throws {
    try withFolder { folder in
      try write(["a.yaml": withURL(""), "b.yml": withURL("")], in: folder)
      let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load(nil, reader: reader) }
      #expect(failure.exit == .usage)
      #expect(failure.why == "which one? There are a, b")
      #expect(try PolicyFolder(path: folder).load("b", reader: reader).name == "b")
    }
  }

  @Test(arguments: [
    ("prodction", "; did you mean production?"), ("production.yaml", "; did you mean production?"), ("zzz", ""),
    ("../production", nil), ("", nil), ("PRODUCTION", "; did you mean production?"),
  ])
  func `an unknown policy gets a suggestion`(name: String, suggestion: String?) throws {
    try withFolder { folder in
      try write(["production.yaml": withURL(""), "staging.yaml": withURL("")], in: folder)
      let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load(name, reader: reader) }
      #expect(failure.exit == .notFound)
      #expect(failure.code == "policy_unknown")
      #expect(failure.nextStep == "name one of production, staging")
      if let suggestion { #expect(failure.why == "there is no such policy in \(folder)" + suggestion) }
    }
  }

  @Test func `an empty folder says how to get a policy`() throws {
    try withFolder { folder in
      for name in [nil, "app"] {
        let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load(name, reader: reader) }
        #expect(failure.exit == .notFound)
        #expect(failure.nextStep.contains("holdfast init"))
      }
    }
  }

  @Test func `a missing folder, and a file in its place, are told apart`() throws {
    try withFolder { folder in
      let missing = try #require(throws: Failure.self) { try PolicyFolder(path: folder + "/no").names() }
      #expect(missing.exit == .notFound)
      #expect(missing.code == "policies_missing")
      try write(["file": ""], in: folder)
      let file = try #require(throws: Failure.self) { try PolicyFolder(path: folder + "/file").names() }
      #expect(file.exit == .configuration)
      #expect(file.why.contains("Not a directory"))
    }
  }

  @Test func `two files of one policy are refused`() throws {
    try withFolder { folder in
      try write(["app.yaml": withURL(""), "app.yml": withURL("")], in: folder)
      let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load("app", reader: reader) }
      #expect(failure.exit == .configuration)
      #expect(failure.why.contains("app.yaml, app.yml"))
    }
  }

  @Test func `problems are named by the file's path`() throws {
    try withFolder { folder in
      try write(["app.yml": "globals: 4\n", "my app.yaml": withURL("")], in: folder)
      let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load("app", reader: reader) }
      #expect(failure.details.first?.hasPrefix("\(folder)/app.yml:1: ") == true)
      let name = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load("my app", reader: reader) }
      #expect(name.exit == .configuration)
    }
  }

  @Test func `a file that is too large is refused without being read whole`() throws {
    try withFolder { folder in
      try write(["app.yaml": String(repeating: "# x\n", count: 600_000)], in: folder)
      let failure = try #require(throws: Failure.self) { try PolicyFolder(path: folder).load("app", reader: reader) }
      #expect(failure.why == "is larger than 1 MiB: this is no policy")
    }
  }
}
