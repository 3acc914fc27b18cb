/// What Holdfast calls databases that it makes next to a live one.
package enum DatabaseKind: String, Sendable, CaseIterable {
  /// Being restored, or restored and not yet in the place of the live one.
  case restore
  /// A copy that a deploy keeps.
  case standby
  /// Replaced by a rollback.
  case before
  /// Replaced by an undo.
  case undone
}

/// `app__restore_3f9a7c`: a name and an ending, the name shortened so that both fit PostgreSQL's 63 bytes.
package func databaseName(_ base: String, _ ending: String) -> String {
  var stem = base
  while stem.utf8.count + ending.utf8.count > 63 { stem.removeLast() }
  return stem + ending
}

extension DeployRecord {
  /// Whether a name is one that Holdfast gives to databases of this deploy: a journal that somebody else has written into could name any.
  package func isOwn(_ name: String, _ kinds: [DatabaseKind] = DatabaseKind.allCases) -> Bool {
    let endings = kinds.map { "__\($0.rawValue)_\(id.suffix(6))" }
    return endings.contains { ending in
      name == databaseName(database, ending) || (2...99).contains { name == databaseName(database, "\(ending)_\($0)") }
    }
  }

  /// A journaled name that is none of Holdfast's; and of a copy, which may be dropped, one that is no copy's.
  package var foreignName: String? {
    if let name = copy?.name, !isOwn(name, [.standby]) { return name }
    let names = [rollback?.temporaryName, rollback?.keptAs].compactMap { $0 } + keptNames
    return names.first { !isOwn($0) }
  }
}

extension DatabaseProperties {
  /// The comment of a database that is being restored, for people and for the next run.
  package static let unfinishedComment = "holdfast: unfinished restore, safe to drop"
  /// Its connection limit ("hold"), which CREATE DATABASE itself sets; it is the class of its advisory lock, too.
  package static let unfinishedLimit: Int32 = 0x686f_6c64

  /// Without the marks of an unfinished database: who carried them into a backup would have the restored one dropped.
  package var withoutMarks: DatabaseProperties {
    var properties = self
    if properties.comment == Self.unfinishedComment { properties.comment = nil }
    if properties.connectionLimit == Int(Self.unfinishedLimit) { properties.connectionLimit = -1 }
    return properties
  }
}
