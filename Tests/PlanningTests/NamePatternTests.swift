import Planning
import Testing

/// Beside these, `ExcludedRowsTests` compares with what pg_dump itself takes.
@Suite struct NamePatternTests {
  @Test(arguments: [
    ("sessions", nil, "^(sessions)$"), ("Sessions", nil, "^(sessions)$"), ("\"Sessions\"", nil, "^(Sessions)$"),
    ("audit.log_*", "^(audit)$", "^(log_.*)$"), ("a?c.*", "^(a.c)$", "^(.*)$"), ("\"a.b\".c", "^(a\\.b)$", "^(c)$"),
    ("\"app.public\".x", "^(app\\.public)$", "^(x)$"), ("\"a\"\"b\"", nil, "^(a\"b)$"),
    ("log_[0-9]+", nil, "^(log_[0-9]+)$"),
    ("a$b", nil, "^(a\\$b)$"), ("\"a*b?\"", nil, "^(a\\*b\\?)$"), ("\"a$\"", nil, "^(a\\$)$"), ("ÄB", nil, "^(Äb)$"),
    ("\"\"", nil, "^()$"), ("", nil, "^()$"), ("open\"Quote", nil, "^(openQuote)$"), ("x[]", nil, "^(x\\[])$"),
  ])
  func `is read as pg_dump reads it`(pattern: String, schema: String?, name: String) {
    #expect(NamePattern(pattern)?.schema == schema)
    #expect(NamePattern(pattern)?.name == name)
  }

  @Test(arguments: ["app.public.x", "a.b.c.d", "..", "\"a\".b.c"]) func `a database's name is no part of it`(
    pattern: String
  ) {
    #expect(NamePattern(pattern) == nil)
  }
}
