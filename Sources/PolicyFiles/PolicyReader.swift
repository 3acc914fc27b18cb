import BackupModel
import Diagnostics

/// Reads and checks the text of one policy. Touches no file but to resolve the policy's folder.
package struct PolicyReader: Sendable {
  private let environment: [String: String]
  private let parseURL: URLParser
  private let places: EnvironmentPlaces

  /// Reads a connection URL; what it throws shows nothing of it.
  package typealias URLParser = @Sendable (Secret) throws(Failure) -> ConnectionTarget

  /// - Parameters:
  ///   - environment: what `${NAME}` is filled in from.
  ///   - places: where that is from, for whoever has to set a variable.
  ///   - parseURL: reads `database.url`, of which nothing is known here; what it throws is a problem of that line.
  package init(
    environment: [String: String], places: EnvironmentPlaces = EnvironmentPlaces(),
    parseURL: @escaping URLParser
  ) {
    self.environment = environment
    self.places = places
    self.parseURL = parseURL
  }

  /// - Parameters:
  ///   - file: as errors show it; the policy's relative paths start in its folder.
  ///   - name: the stem of the file.
  /// - Throws: one failure `configuration` (78) whose details name every problem as `FILE:LINE: KEY: sentence`. It
  ///   never holds the value of `database.url`, or one that was filled in from the environment.
  package func read(text: String, file: String, name: String) throws(Failure) -> Policy {
    try read(bytes: Array(text.utf8), file: file, name: name)
  }

  /// The same for bytes that may not be text.
  package func read(bytes: [UInt8], file: String, name: String) throws(Failure) -> Policy {
    try PolicyName.check(name, file: file)
    var check = PolicyCheck(environment: environment, parseURL: parseURL)
    var problems = badBytes(bytes)
    if problems.isEmpty {
      var composer = YAMLComposer(withoutMark(bytes))
      do {
        check.check(root: try composer.document())
        problems = composer.problems + check.problems
      } catch {
        problems = composer.problems + [error]
      }
    }
    guard problems.isEmpty else { throw .policy(name, file: file, problems: problems, places: places) }
    guard let policy = policy(check.values, check.target, file: file, name: name) else {
      throw .internalError("policy \(name) was found in order, but has no value for a required key")
    }
    return policy
  }

  /// A byte order mark, which editors on Windows write, says nothing here.
  private func withoutMark(_ bytes: [UInt8]) -> [UInt8] {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  private func badBytes(_ bytes: [UInt8]) -> [PolicyProblem] {
    guard bytes.count <= PolicyFolder.largestFile else {
      return [PolicyProblem(line: 1, "is larger than 1 MiB: this is no policy")]
    }
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    return lines.enumerated().compactMap { index, line in
      if line.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0D }) {
        return PolicyProblem(line: index + 1, "holds a NUL or another control character")
      }
      return String(validating: line, as: UTF8.self) == nil
        ? PolicyProblem(line: index + 1, "is not UTF-8: save the file in that encoding") : nil
    }
  }

  /// The values that were set, over the model's own defaults.
  private func policy(
    _ values: [String: PolicyValue], _ target: ConnectionTarget?, file: String, name: String
  ) -> Policy? {
    let settings = PolicySettings(values: values)
    guard let target, let environment = settings.text("environment"),
      let repository = settings.text("repository")
    else { return nil }
    return Policy(
      name: name, environment: environment, target: target,
      tools: settings.tools { PolicyPath.absolute($0, besideFile: file) },
      repository: PolicyPath.absolute(repository, besideFile: file), repositoryID: settings.text("repository_id"),
      jobs: settings.jobs, trustsOwner: settings.trustsOwner,
      backup: settings.backup(),
      verifyAfterBackup: settings.text("verify.after_backup").flatMap(VerificationLevel.init) ?? .archive,
      migrations: settings.migrations { PolicyPath.absolute($0, besideFile: file) }, retention: settings.retention())
  }
}
