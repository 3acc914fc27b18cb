import Foundation

/// `database.sql` of a backup: the statements that give a database its properties, for psql; and, in comments, its settings for Holdfast.
package enum DatabaseSQL {
  package static let name = "database.sql"
  /// Behind it stands one setting, as JSON.
  private static let mark = "-- setting: "

  package static func text(_ properties: DatabaseProperties) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let comments = try properties.settings.map { "\(mark)\(String(decoding: try encoder.encode($0), as: UTF8.self))\n" }
    let statements = properties.statements(name: SQLFragment(psqlVariable: "database")).map { "\($0);\n" }
    return "-- psql -v database=NAME -f \(name)\n" + comments.joined() + statements.joined()
  }

  /// - Returns: nil when a line that should hold a setting does not.
  package static func settings(in text: String) -> [DatabaseProperties.Setting]? {
    var settings: [DatabaseProperties.Setting] = []
    // They stand at the beginning: what looks like one further on may be part of a quoted text.
    for line in text.utf8.split(separator: 0x0A).dropFirst() {
      guard line.starts(with: mark.utf8) else { break }
      let json = Data(line.dropFirst(mark.utf8.count))
      guard let setting = try? JSONDecoder().decode(DatabaseProperties.Setting.self, from: json) else { return nil }
      settings.append(setting)
    }
    return settings
  }
}
