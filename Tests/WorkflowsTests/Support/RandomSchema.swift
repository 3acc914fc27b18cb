import Foundation

/// Random definitions of every kind that the server words in its own way, by a seed.
struct RandomSchema {
  private var random: SeededGenerator
  private var tables: [(name: String, columns: [String])] = []
  private var functions = 0
  private(set) var statements: [String] = []

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    statements.append("CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')")
    statements.append(
      "CREATE DOMAIN small AS integer CONSTRAINT fits CHECK (\(condition(["VALUE", "VALUE"], depth: 2)))")
    for _ in 0..<Int.random(in: 2...4, using: &random) { addTable() }
    for _ in 0..<Int.random(in: 4...9, using: &random) { addObject() }
  }

  var sql: String { statements.joined(separator: ";\n") + ";\n" + rows }

  /// One statement that changes a restored database, and would have to be found.
  mutating func damage() -> String {
    let table = pick(tables).name
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return "ALTER TABLE \(table) ALTER COLUMN a SET DEFAULT \(Int.random(in: 1000...9999, using: &random))"
    case 1: return "ALTER TABLE \(table) DROP CONSTRAINT \(table)_sane"
    case 2: return "GRANT INSERT ON \(table) TO pg_monitor"
    case 3: return "COMMENT ON TABLE \(table) IS 'damaged'"
    case 4: return "DROP INDEX \(table)_partial"
    case 5: return "ALTER TABLE \(table) ADD CONSTRAINT extra CHECK (a < 5000) NOT VALID"
    case 6: return "CREATE OR REPLACE VIEW \(table)_view AS SELECT a, b, c FROM \(table) WHERE a = 77"
    default: return "INSERT INTO \(table) (a, b, c) SELECT a, b, c FROM \(table) LIMIT 1"
    }
  }

  /// Few, and such that every check holds: each is NULL for them.
  private var rows: String {
    tables.map { "INSERT INTO \($0.name) (a, b, c) VALUES (NULL, NULL, 'x'), (NULL, NULL, 'y')" }.joined(
      separator: ";\n")
  }

  private mutating func addTable() {
    let name = "t\(tables.count)"
    let columns = ["a", "b"]
    tables.append((name, columns))
    let generated = "g boolean GENERATED ALWAYS AS (\(condition(columns, depth: 2))) STORED"
    statements.append(
      """
      CREATE TABLE \(name) (a integer DEFAULT (\(Int.random(in: 1...9, using: &random)) + 1), b integer, c varchar(9), d small,
        e mood, \(generated), CONSTRAINT \(name)_sane CHECK (\(condition(columns, depth: 3))))
      """)
    statements.append("CREATE INDEX \(name)_partial ON \(name) (a) WHERE \(condition(columns, depth: 2))")
    statements.append("CREATE VIEW \(name)_view AS SELECT a, b, c FROM \(name) WHERE \(condition(columns, depth: 3))")
  }

  private mutating func addObject() {
    let table = pick(tables).name
    functions += 1
    let n = functions
    switch Int.random(in: 0..<8, using: &random) {
    case 0:
      statements.append("ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY")
      statements.append("CREATE POLICY p\(n) ON \(table) USING (\(condition(["a", "b"], depth: 2)))")
    case 1:
      statements.append("CREATE STATISTICS s\(n) ON (a + \(n)), (c IN ('x', 'y')) FROM \(table)")
    case 2:
      let test = condition(["$1", "$1"], depth: 2)
      statements.append("CREATE FUNCTION f\(n)(integer) RETURNS boolean LANGUAGE sql BEGIN ATOMIC SELECT \(test); END")
    case 3:
      statements.append(
        "CREATE RULE r\(n) AS ON UPDATE TO \(table) WHERE \(condition(["OLD.a", "NEW.b"], depth: 2)) DO ALSO NOTHING")
    case 4:
      statements.append(
        "CREATE FUNCTION g\(n)() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
      statements.append(
        "CREATE TRIGGER tr\(n) BEFORE UPDATE ON \(table) FOR EACH ROW WHEN (\(condition(["OLD.a", "NEW.b"], depth: 2))) EXECUTE FUNCTION g\(n)()"
      )
    case 5:
      statements.append(
        "CREATE MATERIALIZED VIEW m\(n) AS SELECT a, count(*) FROM \(table) WHERE \(condition(["a", "b"], depth: 2)) GROUP BY a"
      )
    case 6:
      statements.append(
        "CREATE TABLE parts\(n) (k integer, v varchar CHECK (v IN ('x', 'y') AND k BETWEEN 1 AND 9)) PARTITION BY RANGE (k)"
      )
      statements.append("CREATE TABLE parts\(n)_1 PARTITION OF parts\(n) FOR VALUES FROM (0) TO (10)")
    default:
      statements.append(
        "CREATE FUNCTION set\(n)() RETURNS SETOF \(table) LANGUAGE sql STABLE AS 'SELECT * FROM public.\(table)'")
      statements.append("CREATE VIEW over\(n) AS SELECT a, b FROM set\(n)() WHERE \(condition(["a", "b"], depth: 1))")
      statements.append("ALTER TABLE \(table) ADD COLUMN later\(n) integer")
    }
  }

  private mutating func condition(_ columns: [String], depth: Int) -> String {
    let (one, other) = (pick(columns), pick(columns))
    let (low, high) = (Int.random(in: 1...4, using: &random), Int.random(in: 5...9, using: &random))
    guard depth > 0 else {
      switch Int.random(in: 0..<6, using: &random) {
      case 0: return "\(one) BETWEEN \(low) AND \(high)"
      case 1: return "\(one) NOT BETWEEN \(low) AND \(high)"
      case 2: return "(\(one), \(other)) = (\(low), \(high))"
      case 3: return "(\(one), \(other)) IN ((\(low), 1), (\(high), 2))"
      case 4: return "\(one) IN (\(low), \(other), \(high))"
      default: return "\(one) <> \(low)"
      }
    }
    let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in condition(columns, depth: depth - 1) }
    let word = Bool.random(using: &random) ? " AND " : " OR "
    return parts.count == 1
      ? "NOT (\(parts[0]))" : parts.map { Bool.random(using: &random) ? $0 : "(\($0))" }.joined(separator: word)
  }

  private mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: elements.indices, using: &random)]
  }
}
