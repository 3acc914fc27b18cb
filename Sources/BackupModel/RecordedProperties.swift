/// What a manifest keeps of a database's properties: all but the values of its settings, which may be secrets. Those are in `database.sql` alone.
package struct RecordedProperties: Sendable, Equatable, Codable {
  /// Everything else, with no setting at all.
  package let withoutSettings: DatabaseProperties
  package let settings: [Setting]

  /// One of the database's settings.
  package struct Setting: Sendable, Equatable, Codable {
    package var role: String?
    package var name: String
    /// In manifests of an older version alone.
    package var value: String?
  }

  package init(_ properties: DatabaseProperties) {
    var others = properties
    others.settings = []
    withoutSettings = others
    settings = properties.settings.map { Setting(role: $0.role, name: $0.name) }
  }

  private enum Keys: CodingKey { case settings }

  package init(from decoder: any Decoder) throws {
    withoutSettings = try DatabaseProperties(from: decoder)
    settings = try decoder.container(keyedBy: Keys.self).decode([Setting].self, forKey: .settings)
  }

  package func encode(to encoder: any Encoder) throws {
    try withoutSettings.encode(to: encoder)
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(settings, forKey: .settings)
  }

  /// The properties with the values that `database.sql` has.
  ///
  /// - Parameter known: what `DatabaseSQL` read there.
  /// - Returns: nil when it has others than were recorded.
  package func filled(from known: [DatabaseProperties.Setting]?) -> DatabaseProperties? {
    var all = withoutSettings
    if settings.contains(where: { $0.value == nil }) {
      guard let known, known.map({ Setting(role: $0.role, name: $0.name) }) == settings else { return nil }
      all.settings = known
    } else {
      all.settings = settings.map { .init(role: $0.role, name: $0.name, value: $0.value ?? "") }
    }
    return all
  }
}
