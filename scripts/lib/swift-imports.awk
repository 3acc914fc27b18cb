# Imports of Swift files, one a line, fields separated by tabs: import TARGET MODULE FILE LINE. -v target=TARGET, with -f swift-code.awk.

FNR == 1 { depth = 0; in_text = 0 }
{
  n = split(code($0), statements, ";")
  for (i = 1; i <= n; i++) {
    module = imported(statements[i])
    if (module != "") print "import\t" target "\t" module "\t" FILENAME "\t" FNR
  }
}

function imported(statement) {
  sub(/^[ \t]+/, "", statement)
  while (sub(/^(@[A-Za-z_]+(\([^)]*\))?|public|package|internal|fileprivate|private)[ \t]+/, "", statement)) continue
  if (!sub(/^import[ \t]+/, "", statement)) return ""
  sub(/^(struct|class|enum|protocol|typealias|func|let|var|actor)[ \t]+/, "", statement)
  gsub(/`/, "", statement)
  return match(statement, /^[A-Za-z_][A-Za-z_0-9]*/) ? substr(statement, 1, RLENGTH) : ""
}
