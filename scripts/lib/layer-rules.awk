# What check-layers found: Package.swift itself first, then lines of target, depends, folder, swift, import, found.
# Prints what breaks the rules as file:line: …, and ends with 1 when there was anything.

BEGIN {
  FS = "\t"
  n = split(without_c, names, " ")
  for (i = 1; i <= n; i++) upper[names[i]] = 1
}
FILENAME == "Package.swift" { manifest[FNR] = $0; last = FNR; next }
$1 == "target" { targets[++total] = $2; type[$2] = $3; module[as_module($2)] = $2 }
$1 == "depends" { arrows[++arrow_total] = $2 FS $3; declared[$2, $3] = 1 }
$1 == "folder" { folder[$2] = $3; owner[$3] = $2 }
$1 == "swift" { is_swift[$2] = 1 }
$1 == "import" { imports[++import_total] = $2 FS $3 FS $4 ":" $5 }
$1 == "found" { found[++found_total] = $2 }
END {
  check_folders()
  check_imports()
  check_arrows()
  for (i = 1; i <= total; i++) follow(targets[i], targets[i])
  if (problems) exit 1
  printf "layers: %d targets, %d arrows, %d imports between them: in order\n", total, arrow_total, sibling_imports
}

function problem(text) { print text; problems++ }
function as_module(name) { gsub(/[^A-Za-z0-9_]/, "_", name); return name }

function check_folders(    i) {
  for (i = 1; i <= total; i++)
    if (!(targets[i] in folder)) problem(place(targets[i], "") ": target " targets[i] " has no folder")
  for (i = 1; i <= found_total; i++)
    if (!(found[i] in owner)) problem(found[i] ":1: no target of Package.swift has this folder")
}

function check_imports(    i, part, from, to) {
  for (i = 1; i <= import_total; i++) {
    split(imports[i], part, FS)
    from = part[1]
    if (!(part[2] in module)) continue
    to = module[part[2]]
    if (to == from) continue
    sibling_imports++
    imported[from, to] = 1
    if (!((from, to) in edge_place)) { edge_place[from, to] = part[3]; edges[from] = edges[from] FS to }
    if (from in upper && !(to in is_swift)) problem(part[3] ": " from " imports the C module " to)
    else if (!((from, to) in declared))
      problem(part[3] ": " from " imports " to ", which Package.swift does not give to it")
  }
}

# A test may need a program that it cannot import.
function check_arrows(    i, part, from, to) {
  for (i = 1; i <= arrow_total; i++) {
    split(arrows[i], part, FS)
    from = part[1]
    to = part[2]
    if (!(to in type)) { problem(place(from, to) ": " from " depends on " to ", which is no target here"); continue }
    if (!((from, to) in edge_place)) { edge_place[from, to] = place(from, to); edges[from] = edges[from] FS to }
    if (from in is_swift && !((from, to) in imported) && !(type[from] == "test" && type[to] == "executable"))
      problem(place(from, to) ": " from " depends on " to " and never imports it")
  }
}

# Depth first; a circle is told once, from its first target in the order of Package.swift.
function follow(start, from,    i, n, next_ones) {
  n = split(edges[from], next_ones, FS)
  on_path[from] = ++path_length
  path[path_length] = from
  for (i = 2; i <= n; i++) {
    if (next_ones[i] == start) tell_circle(start)
    else if (!on_path[next_ones[i]] && !done[next_ones[i]] && !finished[start, next_ones[i]])
      follow(start, next_ones[i])
  }
  finished[start, from] = 1
  on_path[from] = 0
  path_length--
  if (from == start) done[start] = 1
}
function tell_circle(start,    i, text) {
  for (i = 1; i <= path_length; i++) text = text path[i] " -> "
  problem(edge_place[path[path_length], start] ": a circle: " text start)
}

# Where Package.swift says it: the target's name after `(` or `name:`, then the first mention of what it depends on.
function place(from, to,    i, quoted, line, at, before) {
  quoted = "\"" from "\""
  for (i = 1; i <= last; i++) {
    line = manifest[i]
    at = index(line, quoted)
    if (!at) continue
    before = substr(line, 1, at - 1)
    if (before ~ /(name:|\()[ \t]*$/ || (before ~ /^[ \t]*$/ && manifest[i - 1] ~ /\([ \t]*$/)) break
  }
  if (i > last) return "Package.swift:1"
  if (to == "") return "Package.swift:" i
  line = substr(manifest[i], at + length(quoted))
  for (quoted = "\"" to "\""; i <= last; line = manifest[++i]) if (index(line, quoted)) return "Package.swift:" i
  return "Package.swift:1"
}
