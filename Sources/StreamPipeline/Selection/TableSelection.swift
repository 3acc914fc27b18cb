import Diagnostics

/// Which statements of a dump bring back some of its tables: the tables themselves, what belongs to them, and what they need.
package struct TableSelection: Sendable {
  /// For each statement of the dump, in its order, whether it is run.
  package let isIncluded: [Bool]
  /// Those asked for, and the partitions of those.
  package let tables: [QualifiedName]
  /// What comes along because something restored needs it, in words: `type shop.mood`.
  package let companions: [String]
  /// What belongs to the tables and stays away, each with its reason.
  package let leftOut: [String]

  /// - Parameter largeObjects: how many the backup has.
  /// - Throws: `no_such_table`; `table_needs` when a table cannot be made without another one that was not asked for.
  package init(of statements: [DumpedStatement], tables asked: [String], largeObjects: UInt64 = 0) throws(Failure) {
    var choice = Choice(statements)
    try choice.choose(asked)
    try choice.checkNeeds()
    choice.include()
    isIncluded = choice.included
    tables = statements.compactMap {
      if case .table(let name) = $0.role, choice.chosen.contains(name) { name } else { nil }
    }
    companions = choice.companions
    let objects = largeObjects > 0 ? ["the large objects of the backup (\(largeObjects)): they belong to no table"] : []
    leftOut = choice.leftOut + objects
  }
}

private struct Choice {
  private let statements: [DumpedStatement]
  /// The statements that make something, by its name: there may be several, a type and a function for example.
  private var makers: [QualifiedName: [Int]] = [:]
  private var schemas: [String: Int] = [:]
  private var accessMethods: [String: Int] = [:]
  private var extensions: [(name: String, schema: String, index: Int)] = []
  /// Partitioned tables, with their partitions.
  private var partitions: [QualifiedName: [QualifiedName]] = [:]
  private var haveRows: Set<QualifiedName> = []
  /// Functions and procedures, by their names without a schema.
  private var routinesByName: [String: [Int]] = [:]

  private(set) var chosen: Set<QualifiedName> = []
  private(set) var included: [Bool]
  /// What stays away with something that is left out, by the statement that both belong to: `TRIGGER touch`.
  private var leftOutParts: [Int: [String]] = [:]

  init(_ statements: [DumpedStatement]) {
    self.statements = statements
    included = statements.map { $0.role == .session }
    for (index, statement) in statements.enumerated() {
      switch statement.role {
      case .table(let name), .view(let name), .part(let name):
        makers[name, default: []].append(index)
        if statement.kindOfFirst == .routine { routinesByName[name.name, default: []].append(index) }
      case .schema(let name): schemas[name] = index
      case .extension(let name, let schema): extensions.append((name, schema, index))
      case .rows(let target): haveRows.insert(QualifiedName(schema: target.schema, name: target.name))
      case .belonging:
        if let made = statement.makes { makers[made, default: []].append(index) }
        if let (root, partition) = statement.attachment { partitions[root, default: []].append(partition) }
      case .accessMethod(let name): accessMethods[name] = index
      case .session, .context, .authorization, .ofSchema, .ofExtension, .other: break
      }
    }
    // A range type makes its multirange type, too.
    for (index, statement) in statements.enumerated() {
      guard let name = statement.multirange, makers[name] == nil else { continue }
      makers[name] = [index]
    }
  }

  // MARK: The tables

  mutating func choose(_ asked: [String]) throws(Failure) {
    let all = statements.compactMap { if case .table(let name) = $0.role { name } else { nil } }
    for text in asked {
      let exact = all.filter { $0.description.utf8.elementsEqual(text.utf8) || $0 == QualifiedName(text) }
      let matching = exact.isEmpty ? all.filter { $0.name.utf8.elementsEqual(text.utf8) } : exact
      guard let table = matching.first, matching.count == 1 else { throw Self.noSuchTable(text, matching, all) }
      choose(table)
    }
    for table in chosen where !haveRows.contains(table) { try checkRows(of: table) }
  }

  private mutating func choose(_ table: QualifiedName) {
    guard chosen.insert(table).inserted else { return }
    for partition in partitions[table] ?? [] { choose(partition) }
  }

  private static func noSuchTable(_ text: String, _ matching: [QualifiedName], _ all: [QualifiedName]) -> Failure {
    let near = nearest(to: text, among: all.map(\.description))
    return Failure(
      "no_such_table", exit: .notFound, what: "table \(text)",
      why: matching.isEmpty
        ? "the backup has no such table"
        : "several tables are called so: \(matching.map(\.description).joined(separator: ", "))",
      nextStep: matching.isEmpty
        ? near.map { "is it \($0)?" } ?? "give it as SCHEMA.TABLE; holdfast show ID --json lists the backup's tables"
        : "give it with its schema")
  }

  /// The table whose partition of a partition it is, or itself.
  private func root(of table: QualifiedName) -> QualifiedName { ancestors(of: table).last ?? table }

  /// The tables whose partition it is, directly and above.
  private func ancestors(of table: QualifiedName) -> [QualifiedName] {
    guard let above = partitions.first(where: { $0.value.contains(table) })?.key else { return [] }
    return [above] + ancestors(of: above)
  }

  /// pg_dump writes the rows of some partitions as rows of their root.
  private func checkRows(of table: QualifiedName) throws(Failure) {
    let root = root(of: table)
    guard root != table, partitions[table] == nil, haveRows.contains(root), !chosen.contains(root) else { return }
    throw Failure(
      "table_needs", exit: .usage, what: "table \(table)",
      why: "the backup has its rows among those of \(root), whose partition it is",
      nextStep: "restore that one: --table \(root)")
  }

  /// - Throws: `table_needs`.
  func checkNeeds() throws(Failure) {
    for (index, statement) in statements.enumerated() {
      guard case .table(let table) = statement.role, chosen.contains(table), let needed = lack(of: index) else {
        continue
      }
      // A view is restored with the whole backup only.
      let isTable = (makers[needed] ?? []).contains { if case .table = statements[$0].role { true } else { false } }
      throw Failure(
        "table_needs", exit: .usage, what: "table \(table)",
        why: "it cannot be made without \(isTable ? "" : "the view ")\(needed)",
        nextStep: (isTable ? "add --table \(needed); or " : "")
          + "restore the whole backup: holdfast restore ID --into NAME")
    }
  }

  // MARK: What goes with them

  /// Goes over the statements until none is added: what something late needs may have belongings early.
  mutating func include() {
    for index in statements.indices {
      guard let part = statements[index].namedPart, let anchor = anchor(of: index), lack(of: index) != nil else {
        continue
      }
      leftOutParts[anchor, default: []].append(part)
    }
    var before = -1
    while before != included.count(where: { $0 }) {
      before = included.count { $0 }
      for index in statements.indices where !included[index] && belongs(index) { add(index) }
      addContexts()
    }
  }

  private mutating func add(_ index: Int) {
    guard !included[index] else { return }
    included[index] = true
    let statement = statements[index]
    for name in statement.names where makers[name] != nil {
      if let schema = schemas[name.schema] { included[schema] = true }
    }
    // What no statement makes is an extension's.
    for name in statement.names + statement.bodyNames where makers[name] == nil {
      for found in extensions where found.schema == name.schema { add(found.index) }
    }
    if case .extension(_, let name) = statement.role, let schema = schemas[name] { included[schema] = true }
    for part in parts(of: statement) + unnamed(by: statement) { add(part) }
  }

  /// The settings under which included tables and indexes are made.
  private mutating func addContexts() {
    var inForce: [String: Int] = [:]
    var authorization: (index: Int, isUsed: Bool)?
    for (index, statement) in statements.enumerated() {
      switch statement.role {
      case .authorization(begins: true): authorization = (index, false)
      case .authorization(begins: false):
        if let authorization, authorization.isUsed { (included[authorization.index], included[index]) = (true, true) }
        authorization = nil
      default: if included[index] { authorization?.isUsed = true }
      }
      if case .context(let name, _) = statement.role { inForce[name] = index }
      guard included[index] else { continue }
      switch statement.role {
      case .table, .belonging:
        for context in inForce.values where !included[context] {
          add(context)
          if case .context(_, let value) = statements[context].role, let method = accessMethods[value] { add(method) }
        }
      default: break
      }
    }
  }

  /// The statements that make what a statement names, but for tables and what belongs to them.
  private func parts(of statement: DumpedStatement) -> [Int] {
    let named = (statement.names + statement.bodyNames).enumerated().flatMap { place, name in
      // What a statement speaks of is of the kind that it says.
      (makers[name] ?? []).filter { index in
        place > 0 || statement.role != .belonging || statements[index].kindOfFirst == statement.kindOfFirst
      }
    }
    return named.filter { isPart($0) } + routines(calledBy: statement)
  }

  /// The routines that a body calls without their schema: which of several is meant, its search path tells when it is called.
  private func routines(calledBy statement: DumpedStatement) -> [Int] {
    statement.calls.flatMap { routinesByName[$0] ?? [] }
  }

  private func isPart(_ index: Int) -> Bool { if case .part = statements[index].role { true } else { false } }

  /// Extensions that no name tells of: a function's language, and operator classes that are their types' defaults.
  private func unnamed(by statement: DumpedStatement) -> [Int] {
    guard !extensions.isEmpty else { return [] }
    let text = statement.text
    return extensions.filter { found in
      text.contains("LANGUAGE \(found.name)") || text.contains("USING \(found.name) ")
        || ["gist", "gin"].contains { found.name == "btree_\($0)" && text.contains("USING \($0) ") }
    }.map(\.index)
  }

  private func belongs(_ index: Int) -> Bool {
    switch statements[index].role {
    case .table(let name): chosen.contains(name)
    case .rows(let target): chosen.contains(QualifiedName(schema: target.schema, name: target.name))
    case .ofSchema(let name): schemas[name].map { included[$0] } ?? hasIncluded(schema: name)
    case .ofExtension(let name): extensions.contains { $0.name == name && included[$0.index] }
    case .belonging: belongsToIncluded(index)
    case .part: (statements[index].defaultClassOf.flatMap { makers[$0] } ?? []).contains { included[$0] }
    case .session, .context, .authorization, .accessMethod, .schema, .extension, .view, .other: false
    }
  }

  /// For `public`, which is in every database, so that no statement makes it.
  private func hasIncluded(schema: String) -> Bool {
    makers.contains { $0.key.schema == schema && $0.value.contains { included[$0] } }
  }

  private func belongsToIncluded(_ index: Int) -> Bool {
    guard let anchor = anchor(of: index), isAnchored(index), lack(of: index) == nil else { return false }
    // Two indexes that are joined, say.
    let others = statements[index].names.flatMap { makers[$0] ?? [] }.filter { $0 != index && !isPart($0) }
    return others.allSatisfy { included[$0] } && !speaksOfLeftOut(index, anchor)
  }

  /// What it belongs to is there; of a sequence that a table owns, either.
  private func isAnchored(_ index: Int) -> Bool {
    anchor(of: index).map { included[$0] } ?? false
      || statements[index].sequenceOwner.map { chosen.contains($0) } ?? false
  }

  /// The first thing named that another statement makes: what a statement belongs to.
  private func anchor(of index: Int) -> Int? {
    let kind = statements[index].kindOfFirst
    let named = statements[index].names.lazy.compactMap { makers[$0]?.filter { $0 != index } }.first { !$0.isEmpty }
    return named?.first { statements[$0].kindOfFirst == kind } ?? named?.first
  }

  /// A table or view that a statement, or anything made for it, needs, and that is not chosen.
  private func lack(of index: Int) -> QualifiedName? {
    var (seen, open): (Set<Int>, [Int]) = ([index], [index])
    while let next = open.popLast() {
      for maker in statements[next].names.flatMap({ makers[$0] ?? [] }) where seen.insert(maker).inserted {
        switch statements[maker].role {
        case .table(let name) where !chosen.contains(name): return name
        case .view(let name): return name
        case .part: open.append(maker)
        default: break
        }
      }
    }
    return nil
  }

  /// A comment on a key that is not there, or a trigger's state.
  private func speaksOfLeftOut(_ index: Int, _ anchor: Int) -> Bool {
    guard let parts = leftOutParts[anchor] else { return false }
    let text = statements[index].textBeforeLiteral
    return parts.contains { text.contains("\($0) ") || text.hasSuffix($0) }
  }

  // MARK: In words

  var companions: [String] {
    statements.indices.filter { included[$0] }.compactMap { index in
      switch statements[index].role {
      case .part(let name): "\(statements[index].kind) \(name)"
      case .extension(let name, _): "extension \(name)"
      default: nil
      }
    }
  }

  var leftOut: [String] {
    let belongings = statements.indices.compactMap { (index) -> String? in
      guard statements[index].role == .belonging, !included[index], let needed = lack(of: index),
        isAnchored(index) || isAttachment(index)
      else { return nil }
      return "\(statements[index].line): it needs \(needed)"
    }
    let without = chosen.subtracting(haveRows).filter { partitions[$0] == nil && !haveRows.contains(root(of: $0)) }
      .map(\.description).sorted()
    return belongings + ofAncestors + without.map { "the rows of \($0): the backup was taken without them" }
  }

  /// Foreign keys and triggers that partitions have from the tables above them, and only from there.
  private var ofAncestors: [String] {
    let above = Set(chosen.flatMap { ancestors(of: $0) }).subtracting(chosen)
    return statements.indices.compactMap { index in
      let statement = statements[index]
      guard statement.role == .belonging, let part = statement.namedPart, let anchor = anchor(of: index),
        case .table(let table) = statements[anchor].role, above.contains(table),
        part.hasPrefix("TRIGGER ") || statement.text.contains(" FOREIGN KEY ")
      else { return nil }
      return "\(statement.line): it is of \(table)"
    }
  }

  /// A partition that becomes a table of its own.
  private func isAttachment(_ index: Int) -> Bool {
    statements[index].attachment.map { chosen.contains($0.partition) } ?? false
  }
}
