import BackupModel
import Diagnostics
import Foundation
import Planning

/// The PostgreSQL programs of one installation, and how they are called.
package struct Toolbox: Sendable {
  package let installation: ClientInstallation

  /// What Holdfast runs of PostgreSQL's.
  private static let programs = ["pg_dump", "pg_dumpall", "pg_restore", "psql"]

  package init(installation: ClientInstallation) { self.installation = installation }

  package func path(_ tool: String) -> String {
    installation.directory.isEmpty ? tool : "\(installation.directory)/\(tool)"
  }

  /// Every installation on this machine, or the one that the policy names.
  package static func installed(demanded: ToolSettings, runner: ChildRunner) throws(Failure) -> [ClientInstallation] {
    if !demanded.wrapper.isEmpty { return try wrapped(demanded, runner: runner) }
    var found: [ClientInstallation] = []
    if let directory = demanded.directory {
      for path in [directory] + programs.map({ "\(directory)/\($0)" }) {
        if let refusal = ForeignOwner.refusal(of: path, code: "foreign_owner", what: "tools.directory") {
          throw refusal
        }
      }
    }
    for directory in demanded.directory.map({ [$0] }) ?? candidateFolders() {
      let command = ChildCommand(
        executable: "\(directory)/pg_dump", arguments: ["--version"], environment: baseEnvironment())
      guard isProgram(command.executable) else { continue }
      guard let version = try version(printedBy: command, runner: runner) else { continue }
      found.append(ClientInstallation(directory: directory, version: version))
    }
    return found
  }

  /// - Returns: nil when the program does not work: another one may.
  private static func version(
    printedBy command: ChildCommand, runner: ChildRunner
  ) throws(Failure) -> ClientVersion? {
    do throws(Failure) { return ClientVersion(printed: try runner.output(of: command)) } catch {
      guard error.exit == .failed || error.exit == .unavailable else { throw error }
      return nil
    }
  }

  /// Where Debian, Red Hat and the rest put them. Debian's wrapper in /usr/bin comes after the programs themselves.
  private static func candidateFolders() -> [String] {
    var folders: [String] = []
    for (parent, suffix) in [("/usr/lib/postgresql", "/bin"), ("/usr", "/bin")] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
      folders += names.filter { parent != "/usr" || $0.hasPrefix("pgsql-") }.map { "\(parent)/\($0)\(suffix)" }
    }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    folders += path.split(separator: ":").map(String.init)
    folders = folders.filter { isProgram("\($0)/pg_dump") }
    var seen: Set<String> = []
    return folders.filter { seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted }
  }

  /// A command of this installation that needs no server.
  package func command(_ tool: String, _ arguments: [String]) -> ChildCommand {
    guard installation.wrapper.isEmpty else { return wrapped(tool, arguments, password: nil) }
    return ChildCommand(executable: path(tool), arguments: arguments, environment: Self.baseEnvironment())
  }

  /// Whether a program of it is there.
  package func has(_ tool: String, runner: ChildRunner) throws(Failure) -> Bool {
    if installation.wrapper.isEmpty { return isProgram(path(tool)) }
    return try Self.version(printedBy: command(tool, ["--version"]), runner: runner) != nil
  }

  /// A command of this installation on a database.
  ///
  /// - Parameters:
  ///   - passwordFile: a 0600 file in PGPASSFILE's format, when there is a password.
  ///   - settings: of the tool's own sessions: they override what role and database set.
  package func command(
    _ tool: String, _ arguments: [String], on target: ConnectionTarget, purpose: String, passwordFile: String?,
    settings: [String: String]
  ) -> ChildCommand {
    let own = settings.sorted { $0.key < $1.key }.map { "-c \($0.key)=\($0.value.replacing(" ", with: "\\ "))" }
    let options = ([target.parameters["options"]].compactMap { $0 } + own).joined(separator: " ")
    if isWrapped {
      let connection = target.parameters.merging([
        "options": options, "application_name": "holdfast \(purpose)", "client_encoding": "UTF8",
      ]) { _, own in own }
      return wrapped(
        tool, ["-w", "-d", Self.connectionString(connection)] + arguments, password: target.password)
    }
    var environment = Self.baseEnvironment()
    var rest: [String: String] = [:]
    for (keyword, value) in target.parameters where keyword != "options" {
      if let variable = Self.variables[keyword] { environment[variable] = value } else { rest[keyword] = value }
    }
    environment["PGOPTIONS"] = options
    environment["PGAPPNAME"] = "holdfast \(purpose)"
    environment["PGCLIENTENCODING"] = "UTF8"
    // Without a password of ours libpq may use the user's own file, ~/.pgpass or another.
    if let passwordFile { environment["PGPASSFILE"] = passwordFile }
    return ChildCommand(
      executable: path(tool), arguments: ["-w", "-d", Self.connectionString(rest)] + arguments,
      environment: environment, secrets: [target.password, target.password?.inPasswordFile].compactMap { $0 })
  }

  /// A name that begins like a URL or has a `=` in it must not be taken for a connection string.
  package static func connectionString(_ values: [String: String]) -> String {
    values.sorted { $0.key < $1.key }.map { keyword, value in
      "\(keyword)='\(escaped(["\\", "'"], in: value, by: "\\"))'"
    }.joined(separator: " ")
  }

  /// Nothing of the caller's PG* variables but the place of his passwords: they would change what is dumped.
  package static func baseEnvironment() -> [String: String] {
    let inherited = ProcessInfo.processInfo.environment
    var environment = ["LC_ALL": "C.UTF-8", "PATH": inherited["PATH"] ?? "/usr/bin:/bin"]
    for name in ["HOME", "TMPDIR", "PGPASSFILE", "KRB5CCNAME", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH"] {
      environment[name] = inherited[name]
    }
    return environment
  }

  private static let variables = [
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslrootcert": "PGSSLROOTCERT", "sslcrl": "PGSSLCRL",
    "sslsni": "PGSSLSNI", "connect_timeout": "PGCONNECT_TIMEOUT", "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE", "krbsrvname": "PGKRBSRVNAME", "requirepeer": "PGREQUIREPEER",
    "target_session_attrs": "PGTARGETSESSIONATTRS", "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
  ]

  /// Settings under which a value's text does not depend on role, database or machine: the digests are of that text.
  package static let dumpSettings = [
    "TimeZone": "UTC", "bytea_output": "hex", "standard_conforming_strings": "on", "quote_all_identifiers": "off",
    "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0", "statement_timeout": "0",
    "lock_timeout": "0", "client_connection_check_interval": "1s",
  ]

  /// Settings that make a restore fast, and keep a role's or a database's own from breaking it.
  package static let restoreSettings = [
    "synchronous_commit": "off", "maintenance_work_mem": "256MB", "jit": "off",
    "default_transaction_read_only": "off", "statement_timeout": "0", "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0", "array_nulls": "on",
    "client_connection_check_interval": "1s",
  ]
}
