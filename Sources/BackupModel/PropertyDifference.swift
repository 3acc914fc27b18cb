/// What belongs to a database, and differs between the live one and a backup of it.
package struct PropertyDifference: Sendable, Equatable {
  /// `owner`, `connection limit`, `setting work_mem`, `setting work_mem of app`.
  package var name: String
  /// As text; nil: it is not set.
  package var live: String?
  package var backup: String?
  /// What the database has after a rollback; false: the backup's, since an undone migration has changed it.
  package var keepsLive: Bool
  /// A role's setting, which it may change by itself at any moment.
  package var isOfRole = false
}

/// What a migration may have changed of its database, apart from the content.
package enum PropertyPart: Hashable, Sendable {
  /// Owner, limit, privileges, template.
  case database
  case comment
  /// Of a role; nil: of the database itself.
  case settings(role: String?)
}

extension DatabaseProperties {
  /// The properties after a rollback: those of the live database, but for what the undone migrations have changed. What only the creation of
  /// a database decides is the backup's.
  package func afterRollback(
    to backup: DatabaseProperties, undoing changed: Set<PropertyPart>
  ) -> (properties: DatabaseProperties, differences: [PropertyDifference]) {
    var result = backup
    var differences: [PropertyDifference] = []
    func choose<Value: Equatable>(
      _ name: String, _ part: PropertyPart, _ path: WritableKeyPath<DatabaseProperties, Value>,
      _ text: (Value) -> String?
    ) {
      let (own, other) = (self[keyPath: path], backup[keyPath: path])
      let keepsLive = !changed.contains(part)
      if keepsLive { result[keyPath: path] = own }
      guard own != other else { return }
      differences.append(
        PropertyDifference(name: name, live: text(own), backup: text(other), keepsLive: keepsLive))
    }
    choose("owner", .database, \.owner) { $0 }
    choose("connection limit", .database, \.connectionLimit) { $0 == -1 ? nil : "\($0)" }
    choose("template", .database, \.isATemplate) { $0 ? "yes" : nil }
    choose("privileges", .database, \.privileges) { $0?.map(\.text).joined(separator: ", ") }
    choose("comment", .comment, \.comment) { $0 }
    result.settings = []
    for role in Self.roles(settings + backup.settings) {
      let keepsLive = !changed.contains(.settings(role: role))
      let (own, other) = (settings.filter { $0.role == role }, backup.settings.filter { $0.role == role })
      result.settings += keepsLive ? own : other
      differences += Self.differences(own, other, role: role, keepsLive: keepsLive)
    }
    return (result, differences)
  }

  /// Everything that a migration may have changed.
  package func allParts(with other: DatabaseProperties) -> Set<PropertyPart> {
    Set([.database, .comment] + Self.roles(settings + other.settings).map { .settings(role: $0) })
  }

  private static func roles(_ settings: [Setting]) -> [String?] {
    var seen: Set<String?> = []
    return settings.map(\.role).filter { seen.insert($0).inserted }
  }

  private static func differences(
    _ live: [Setting], _ backup: [Setting], role: String?, keepsLive: Bool
  ) -> [PropertyDifference] {
    let (own, other) = (values(live), values(backup))
    return Set(own.keys).union(other.keys).sorted().filter { own[$0] != other[$0] }.map { name in
      PropertyDifference(
        name: "setting \(name)" + (role.map { " of \($0)" } ?? ""), live: shown(name, own[name]),
        backup: shown(name, other[name]),
        keepsLive: keepsLive, isOfRole: role != nil)
    }
  }

  /// A setting of an application's own may be a secret.
  private static func shown(_ name: String, _ value: String?) -> String? {
    name.contains(".") ? value.map { _ in "(set)" } : value
  }

  private static func values(_ settings: [Setting]) -> [String: String] {
    Dictionary(settings.map { ($0.name, $0.value) }) { _, last in last }
  }
}

extension DatabaseProperties.Privilege {
  /// `CONNECT to app with grant option`
  package var text: String { "\(privilege) to \(grantee ?? "PUBLIC")\(grantable ? " with grant option" : "")" }
}
