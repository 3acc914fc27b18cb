# Holds the folders of a target to their order: -v rooms='TOP … BOTTOM' -v target=FOLDER, with -f swift-code.awk; reads every file twice.
# A file may use types and functions that its own folder or one below declares. What an extension adds to somebody else's type is not seen.
# Prints what breaks the rule as file:line: …, and ends with 1 when there was anything.

BEGIN {
  n = split(rooms, names, " ")
  for (i = 1; i <= n; i++) height[names[i]] = n - i + 1
}
FNR == 1 {
  depth = 0
  in_text = 0
  if (FILENAME in seen) reading = 2
  else { reading = 1; seen[FILENAME] = 1 }
  room = room_of(FILENAME)
  if (reading == 1 && !(room in height)) problem(room == "" ? "lies in no folder" : "the folder " room " has no place in the order")
}
{
  line = code($0)
  if (reading == 1) declare(line)
  else use(line)
}
END {
  if (problems) exit 1
  printf "rooms: %d in %s, %d names between them: in order\n", n, target, arrows
}

function problem(text) { print FILENAME ":" FNR ": " text; problems++ }

function room_of(file,    rest) {
  rest = substr(file, length(target) + 2)
  return index(rest, "/") ? substr(rest, 1, index(rest, "/") - 1) : ""
}

# At the margin, and for other files.
function declare(line) {
  if (line !~ /^[a-z@]/ || line ~ /private /) return
  while (sub(/^(@[A-Za-z_]+(\([^)]*\))?|package|final|indirect|nonisolated)[ \t]+/, "", line)) continue
  if (!sub(/^(struct|class|enum|protocol|actor|typealias|func|let|var)[ \t]+/, "", line)) return
  if (match(line, /^[A-Za-z_][A-Za-z_0-9]*/)) home[substr(line, 1, RLENGTH)] = room
}

# A name behind a dot is a member's, one before a colon a label's.
function use(line,    word, before) {
  while (match(line, /[A-Za-z_][A-Za-z_0-9]*/)) {
    word = substr(line, RSTART, RLENGTH)
    before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
    line = substr(line, RSTART + RLENGTH)
    if (!(word in home) || home[word] == room || before == "." || line ~ /^:/) continue
    arrows++
    if (height[home[word]] > height[room]) problem(room " uses " word ", which is " home[word] "'s, above it")
  }
}
