/// What belongs to a database but not to its content: pg_dump leaves it out unless it also creates the database.
package struct DatabaseProperties: Sendable, Equatable, Codable {
  package var owner: String
  package var encoding: String
  package var collate: String
  package var ctype: String
  /// `libc`, `icu` or `builtin`.
  package var localeProvider: String
  /// The ICU or builtin locale.
  package var locale: String?
  package var icuRules: String?
  package var tablespace: String
  /// -1: no limit.
  package var connectionLimit: Int
  package var comment: String?
  /// Nil when the database has the default privileges.
  package var privileges: [Privilege]?
  /// No manifest has them: `RecordedProperties`.
  package var settings: [Setting] = []
  /// Nil in backups of an older version, which did not look.
  package var isTemplate: Bool?
  package var isATemplate: Bool {
    get { isTemplate ?? false }
    set { isTemplate = newValue }
  }

  package init(
    owner: String, encoding: String, collate: String, ctype: String, localeProvider: String, locale: String?,
    icuRules: String?, tablespace: String, connectionLimit: Int, comment: String?, privileges: [Privilege]?,
    settings: [Setting], isTemplate: Bool? = nil
  ) {
    self.isTemplate = isTemplate
    self.owner = owner
    self.encoding = encoding
    self.collate = collate
    self.ctype = ctype
    self.localeProvider = localeProvider
    self.locale = locale
    self.icuRules = icuRules
    self.tablespace = tablespace
    self.connectionLimit = connectionLimit
    self.comment = comment
    self.privileges = privileges
    self.settings = settings
  }

  private enum CodingKeys: CodingKey {
    case owner, encoding, collate, ctype, localeProvider, locale, icuRules, tablespace, connectionLimit, comment
    case privileges, isTemplate
  }

  /// One entry of the database's access list.
  package struct Privilege: Sendable, Equatable, Codable {
    /// Nil: PUBLIC.
    package var grantee: String?
    /// `CONNECT`, `CREATE`, `TEMPORARY`.
    package var privilege: String
    package var grantable: Bool
    /// Nil: the database's owner.
    package var grantor: String?

    package init(grantee: String?, privilege: String, grantable: Bool, grantor: String? = nil) {
      self.grantor = grantor
      self.grantee = grantee
      self.privilege = privilege
      self.grantable = grantable
    }
  }

  /// `ALTER DATABASE … SET`, or with a role `ALTER ROLE … IN DATABASE … SET`.
  package struct Setting: Sendable, Equatable, Codable {
    package var role: String?
    package var name: String
    /// As the catalog keeps it.
    package var value: String

    package init(role: String?, name: String, value: String) {
      self.role = role
      self.name = name
      self.value = value
    }
  }
}

/// SQL that gives a database its properties.
extension DatabaseProperties {
  /// `CREATE DATABASE` with everything that can only be given there. Not in a transaction.
  ///
  /// - Parameter major: of the server that it is for.
  package func createStatement(name: SQLFragment, major: Int) -> String {
    var parts = [
      "CREATE DATABASE \(name.text) TEMPLATE template0", "ENCODING \(quoteLiteral(encoding))",
      "LC_COLLATE \(quoteLiteral(collate))", "LC_CTYPE \(quoteLiteral(ctype))",
    ]
    if let locale, localeProvider == "icu" {
      parts += ["LOCALE_PROVIDER icu", "ICU_LOCALE \(quoteLiteral(locale))"]
      if let icuRules { parts.append("ICU_RULES \(quoteLiteral(icuRules))") }
    } else if let locale, localeProvider == "builtin" {
      parts += ["LOCALE_PROVIDER builtin", "BUILTIN_LOCALE \(quoteLiteral(locale))"]
    } else if major >= 15 {
      // template0's may be another.
      parts.append("LOCALE_PROVIDER libc")
    }
    if tablespace != "pg_default" { parts.append("TABLESPACE \(quoteIdentifier(tablespace))") }
    return parts.joined(separator: " ")
  }

  /// The statements after it: owner, limit, comment, privileges, settings.
  package func statements(name: SQLFragment) -> [String] {
    var sql = ["ALTER DATABASE \(name.text) OWNER TO \(quoteIdentifier(owner))"]
    if connectionLimit != -1 { sql.append("ALTER DATABASE \(name.text) CONNECTION LIMIT \(connectionLimit)") }
    if let comment { sql.append("COMMENT ON DATABASE \(name.text) IS \(quoteLiteral(comment))") }
    if let privileges { sql += privilegeStatements(privileges, name: name) }
    sql += settings.map { settingStatement($0, name: name) }
    // Nobody can drop a template by accident: the last of all.
    return sql + (isATemplate ? ["ALTER DATABASE \(name.text) IS_TEMPLATE true"] : [])
  }

  /// The statements that give these properties to a database that has others.
  package func statements(replacing others: DatabaseProperties, name: SQLFragment) -> [String] {
    let roles = Set(others.settings.map(\.role))
    let resets = roles.map { role in
      role.map { "ALTER ROLE \(quoteIdentifier($0)) IN DATABASE \(name.text) RESET ALL" }
        ?? "ALTER DATABASE \(name.text) RESET ALL"
    }
    let grantees = Set((others.privileges ?? []).compactMap(\.grantee)).sorted()
    let defaults = ["GRANT CONNECT, TEMPORARY ON DATABASE \(name.text) TO PUBLIC"]
    return resets.sorted() + grantees.map { "REVOKE ALL ON DATABASE \(name.text) FROM \(quoteIdentifier($0)) CASCADE" }
      + [
        "ALTER DATABASE \(name.text) CONNECTION LIMIT -1", "COMMENT ON DATABASE \(name.text) IS NULL",
        "ALTER DATABASE \(name.text) IS_TEMPLATE false",
      ] + statements(name: name)
      + (privileges == nil ? defaults + ["GRANT ALL ON DATABASE \(name.text) TO \(quoteIdentifier(owner))"] : [])
  }

  /// One of `statements`, to be shown: without the value of a setting, which may be a secret.
  package static func shown(_ statement: String) -> String {
    guard let setting = statement.firstMatch(of: #/ SET \S+/#) else { return statement }
    return "\(statement[..<setting.range.upperBound]) …"
  }

  /// What of its settings the content may depend on while it is restored: a check on `current_setting('app.tenant')`, a view on DateStyle.
  ///
  /// Not those that say who may do what, what is loaded, or how much may be used.
  package func contentSettings(name: SQLFragment) -> [String] {
    let known: Set<String> = [
      "array_nulls", "bytea_output", "datestyle", "default_text_search_config", "extra_float_digits", "intervalstyle",
      "lc_monetary", "lc_numeric", "lc_time", "timezone", "timezone_abbreviations", "transform_null_equals",
      "xmlbinary",
      "xmloption",
    ]
    return settings.filter { $0.role == nil && (known.contains($0.name.lowercased()) || $0.name.contains(".")) }
      .map { settingStatement($0, name: name) }
  }

  private func privilegeStatements(_ privileges: [Privilege], name: SQLFragment) -> [String] {
    let revoked = ["PUBLIC", quoteIdentifier(owner)].map { "REVOKE ALL ON DATABASE \(name.text) FROM \($0)" }
    let known = privileges.filter { ["CONNECT", "CREATE", "TEMPORARY"].contains($0.privilege) }
    // Whoever gives a privilege on has to have it first.
    let ordered = known.filter { $0.grantor == nil } + known.filter { $0.grantor != nil }
    return revoked + ordered.flatMap { privilegeStatements($0, name: name) }
  }

  private func privilegeStatements(_ privilege: Privilege, name: SQLFragment) -> [String] {
    let grant =
      "GRANT \(privilege.privilege) ON DATABASE \(name.text) TO \(privilege.grantee.map(quoteIdentifier) ?? "PUBLIC")"
      + (privilege.grantable ? " WITH GRANT OPTION" : "")
    guard let grantor = privilege.grantor else { return [grant] }
    return ["SET ROLE \(quoteIdentifier(grantor))", grant, "RESET ROLE"]
  }

  private func settingStatement(_ setting: Setting, name: SQLFragment) -> String {
    let subject =
      setting.role.map { "ALTER ROLE \(quoteIdentifier($0)) IN DATABASE \(name.text)" }
      ?? "ALTER DATABASE \(name.text)"
    // The catalog keeps list settings already quoted, element by element; taken as one string they would be one element.
    let value =
      Self.listSettings.contains(setting.name.lowercased())
      ? Self.elements(ofList: setting.value).map(quoteLiteral).joined(separator: ", ") : quoteLiteral(setting.value)
    let parts = setting.name.split(separator: ".").map { quoteIdentifier(String($0)) }.joined(separator: ".")
    return "\(subject) SET \(parts) TO \(value.isEmpty ? "''" : value)"
  }

  /// Settings with PostgreSQL's flag GUC_LIST_QUOTE; extensions may not define such.
  private static let listSettings: Set<String> = [
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
  ]

  /// `"$user", public` → `$user`, `public`.
  package static func elements(ofList value: String) -> [String] {
    var elements: [String] = []
    var current = ""
    var quoted = false
    var scalars = Array(value.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      switch scalar {
      case "\"" where quoted && scalars.first == "\"":
        current.unicodeScalars.append(scalar)
        scalars.removeFirst()
      case "\"": quoted.toggle()
      case "," where !quoted:
        elements.append(current)
        current = ""
      case " " where !quoted: break
      default: current.unicodeScalars.append(scalar)
      }
    }
    if !value.isEmpty { elements.append(current) }
    return elements
  }
}

/// A piece of SQL that is already quoted; or psql's variable for it.
package struct SQLFragment: Sendable, Equatable {
  package let text: String

  /// A quoted identifier.
  package init(identifier: String) { text = quoteIdentifier(identifier) }
  /// `:"name"`: psql fills it in and quotes it.
  package init(psqlVariable: String) { text = ":\"\(psqlVariable)\"" }
}

/// `"name"`, with quotes doubled: an identifier that PostgreSQL takes as it is.
package func quoteIdentifier(_ name: String) -> String { "\"" + escaped(["\""], in: name, by: "\"") + "\"" }

/// `'text'`; with a backslash in it `E'text'`, so that it means the same whatever the session's settings are.
package func quoteLiteral(_ text: String) -> String {
  let quoted = escaped(["'"], in: text, by: "'")
  return quoted.unicodeScalars.contains("\\") ? " E'" + escaped(["\\"], in: quoted, by: "\\") + "'" : "'" + quoted + "'"
}

/// `text` with `escape` before each of some marks.
///
/// Scalar by scalar: as Characters, a quote and the accent behind it would be one that is no quote.
package func escaped(_ marks: Set<Unicode.Scalar>, in text: String, by escape: Unicode.Scalar) -> String {
  var scalars = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if marks.contains(scalar) { scalars.append(escape) }
    scalars.append(scalar)
  }
  return String(scalars)
}
