# Imports of Swift files, one a line, fields separated by tabs: import TARGET MODULE FILE LINE. -v target=TARGET.

FNR == 1 { depth = 0; in_text = 0 }
{
  n = split(code($0), statements, ";")
  for (i = 1; i <= n; i++) {
    module = imported(statements[i])
    if (module != "") print "import\t" target "\t" module "\t" FILENAME "\t" FNR
  }
}

# The line without comments and texts; those of several lines are open in depth and in_text.
function code(line,    kept, token) {
  kept = ""
  while (line != "") {
    if (depth > 0) {
      if (!match(line, /\/\*|\*\//)) return kept
      depth += substr(line, RSTART, 2) == "/*" ? 1 : -1
    } else if (in_text) {
      if (!match(line, /"""/)) return kept
      in_text = 0
    } else {
      if (!match(line, /\/\/|\/\*|"""|"([^"\\]|\\.)*"/)) return kept line
      token = substr(line, RSTART, RLENGTH)
      # The longest match at one place takes "" of """ for an empty text.
      if (substr(line, RSTART, 3) == "\"\"\"") { token = "\"\"\""; RLENGTH = 3 }
      kept = kept substr(line, 1, RSTART - 1)
      if (token == "//") return kept
      if (token == "/*") depth = 1
      if (token == "\"\"\"") in_text = 1
    }
    line = substr(line, RSTART + RLENGTH)
  }
  return kept
}

function imported(statement) {
  sub(/^[ \t]+/, "", statement)
  while (sub(/^(@[A-Za-z_]+(\([^)]*\))?|public|package|internal|fileprivate|private)[ \t]+/, "", statement)) continue
  if (!sub(/^import[ \t]+/, "", statement)) return ""
  sub(/^(struct|class|enum|protocol|typealias|func|let|var|actor)[ \t]+/, "", statement)
  gsub(/`/, "", statement)
  return match(statement, /^[A-Za-z_][A-Za-z_0-9]*/) ? substr(statement, 1, RLENGTH) : ""
}
