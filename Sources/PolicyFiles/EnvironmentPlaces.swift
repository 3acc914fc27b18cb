/// Where the variables of policies come from, in words.
package struct EnvironmentPlaces: Sendable {
  /// `the environment or in .env`.
  var names = "the environment"
  /// Files that are there and cannot be read, each with the reason.
  var unreadable: [String] = []

  package init() {}

  /// - Parameter file: a file in which a variable may be set as well.
  package init(file: String, unreadable: [String]) {
    names = "the environment or in \(file)"
    self.unreadable = unreadable
  }
}
