/// What was found when the catalogs were compared with a dump, in the dump's own snapshot.
package struct Census: Sendable, Equatable {
  /// What exists and is not in the backup, or would not come back as it was.
  package var missing: [CensusEntry]
  /// What no dump carries and that is no loss by itself.
  package var notes: [CensusEntry]

  package init(missing: [CensusEntry] = [], notes: [CensusEntry] = []) {
    self.missing = missing
    self.notes = notes
  }
}

/// One thing that a backup lacks, or that is to be known of it.
package struct CensusEntry: Sendable, Equatable, Codable {
  /// One of `CensusKind`; a newer version may know others.
  package var kind: String
  /// As SQL writes it.
  package var name: String
  package var why: String
  /// How many more of the kind there are that are not named.
  package var more: UInt64?
  /// `schema.name` of the table that it is of, as `StoredFile.table` has it, where a restore has to know that.
  package var table: String?

  package init(kind: CensusKind, name: String, why: String, more: UInt64? = nil, table: String? = nil) {
    self.table = table
    self.kind = kind.rawValue
    self.name = name
    self.why = why
    self.more = more
  }
}

/// The kinds of what a backup can lack. They stand in manifests and policies: docs/completeness.md says what each means.
package enum CensusKind: String, Sendable, CaseIterable {
  case table, view, sequence, publication, subscription
  case materializedView = "materialized_view"
  case foreignTable = "foreign_table"
  case tableRows = "table_rows"
  case largeObjects = "large_objects"
  case userMapping = "user_mapping"
  case extensionRows = "extension_rows"
  case extensionObjects = "extension_objects"
  case unloggedRows = "unlogged_rows"
  case rowSecurity = "row_security"
  case rowTypeOrder = "row_type_order"
  case systemSchema = "system_schema"
  case securityLabel = "security_label"
  case generatedExpression = "generated_expression"
  case identityType = "identity_type"
  // Notes.
  case foreignRows = "foreign_rows"
  case materializedRows = "materialized_rows"
  case generatedValues = "generated_values"
  case triggerState = "trigger_state"
  case extensionOwner = "extension_owner"
  case replicationSlot = "replication_slot"
  case rolePasswords = "role_passwords"
  case inheritedConstraint = "inherited_constraint"
  case comment
  case publicSchema = "public_schema"
  case subscriptionState = "subscription_state"

  /// Whether a backup without it is incomplete.
  package var isLoss: Bool {
    switch self {
    case .foreignRows, .materializedRows, .generatedValues, .triggerState, .extensionOwner, .replicationSlot,
      .rolePasswords, .inheritedConstraint, .comment, .publicSchema, .subscriptionState:
      false
    default: true
    }
  }

  /// Notes of what a restore changes, and no comparison finds.
  package static let changedByRestore: [Self] = [.inheritedConstraint, .comment, .subscriptionState]

  /// What a policy may accept. A restore that exchanges fields is none, whoever accepts it.
  package static let acceptable = allCases.filter { $0.isLoss && $0 != .rowTypeOrder }.map(\.rawValue)

  /// The role that takes the backup lacks a right; another one would have it all.
  package var isOfRole: Bool { [.subscription, .userMapping, .sequence, .rowSecurity].contains(self) }

  package var noun: String {
    switch self {
    case .table: "table"
    case .view: "view"
    case .sequence: "position of sequence"
    case .publication: "publication"
    case .subscription: "subscription"
    case .materializedView: "materialized view"
    case .foreignTable: "foreign table"
    case .tableRows: "rows of table"
    case .largeObjects: "large objects:"
    case .userMapping: "options of user mapping"
    case .extensionRows: "rows of an extension's table"
    case .extensionObjects: "addition to an extension's table"
    case .unloggedRows: "rows of unlogged table"
    case .rowSecurity: "rows that row security hides, of"
    case .rowTypeOrder: "order of the fields in"
    case .systemSchema: "object in a system schema:"
    case .securityLabel: "security label of database"
    case .generatedExpression: "expression of generated column"
    case .identityType: "type of the sequence of identity column"
    case .foreignRows: "rows of foreign table"
    case .materializedRows: "rows of materialized view"
    case .generatedValues: "values of generated column"
    case .triggerState: "disabled state of"
    case .extensionOwner: "owner of extension"
    case .replicationSlot: "logical replication slot"
    case .rolePasswords: "passwords of"
    case .inheritedConstraint: "name or state of inherited constraint"
    case .comment: "comment on"
    case .publicSchema: "missing schema"
    case .subscriptionState: "enabled state of subscription"
    }
  }

  /// What helps.
  package var fix: String {
    switch self {
    case .subscription, .userMapping: "take the backups as a superuser, or create them again after a restore"
    case .sequence: "GRANT SELECT ON SEQUENCE to the role that takes the backups"
    case .rowSecurity: "ALTER ROLE … BYPASSRLS, for the role that takes the backups"
    case .extensionRows, .extensionObjects:
      "save them by a migration or a script that runs after a restore; an extension can also mark its table (pg_extension_config_dump)"
    case .unloggedRows: "take the backups of the primary, or leave the rows out: backup.exclude_table_data"
    case .rowTypeOrder:
      "keep its fields in columns of their own; or create the table again with the inherited columns first, so that a dump changes nothing"
    case .systemSchema: "move it to a schema of your own; give and take privileges once more after a restore"
    case .generatedExpression: "set it again after a restore, or make the column the table's own"
    case .identityType: "ALTER SEQUENCE … AS to the column's type, or once more after a restore"
    case .securityLabel: "set it again after a restore: SECURITY LABEL ON DATABASE"
    default: "take another backup; when it is missing again, look at pg_dump's messages"
    }
  }
}

extension [CensusEntry] {
  /// The kinds that occur, in the order in which they do.
  package var kinds: [String] {
    var seen: Set<String> = []
    return map(\.kind).filter { seen.insert($0).inserted }
  }

  package func of(_ kind: String) -> [CensusEntry] { filter { $0.kind == kind } }

  /// Those that a policy does not accept.
  package func beyond(_ accepted: [String]) -> [CensusEntry] { filter { !accepted.contains($0.kind) } }

  /// A sentence part for each kind: `subscription s1, s2 and 3 more`.
  package var summaries: [String] {
    kinds.map { kind in
      let entries = of(kind)
      let names = entries.prefix(3).map(\.name).joined(separator: ", ")
      // The numbers are a manifest's.
      let rest = entries.reduce(UInt64(entries.dropFirst(3).count)) { sum, entry in
        let (total, overflows) = sum.addingReportingOverflow(entry.more ?? 0)
        return overflows ? .max : total
      }
      return "\(CensusKind(rawValue: kind)?.noun ?? kind) \(names)" + (rest > 0 ? " and \(rest) more" : "")
    }
  }
}
