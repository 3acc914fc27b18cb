# For other awk programs: what of a Swift file is neither comment nor text. They set depth and in_text to 0 at each file's beginning.

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
