# The JSON of `swift package dump-package` to lines, fields separated by tabs:
#   target NAME TYPE PATH          PATH is empty when the manifest leaves it to the convention
#   depends NAME ON                ON a target of this package, or of another one

{ json = json $0 "\n" }
END {
  position = 1
  value("")
  for (i = 0; "targets." i ".name" in leaf; i++) {
    name = leaf["targets." i ".name"]
    print "target\t" name "\t" leaf["targets." i ".type"] "\t" leaf["targets." i ".path"]
    for (j = 0; j < count["targets." i ".dependencies"]; j++) {
      at = "targets." i ".dependencies." j "."
      on = leaf[at "byName.0"] leaf[at "target.0"] leaf[at "product.0"]
      print "depends\t" name "\t" on
    }
  }
}

# Reads one value, and fills leaf["a.0.b"] and count["a"] below the given path.
function value(path,    c, key, n) {
  c = next_character()
  if (c == "{") {
    position++
    while (next_character() != "}") {
      if (substr(json, position, 1) == ",") { position++; next_character() }
      key = text()
      next_character()
      position++
      value(path == "" ? key : path "." key)
    }
    position++
  } else if (c == "[") {
    position++
    while (next_character() != "]") {
      if (substr(json, position, 1) == ",") position++
      value(path "." n + 0)
      n++
    }
    position++
    count[path] = n + 0
  } else if (c == "\"") {
    leaf[path] = text()
  } else if (match(substr(json, position, 40), /^[-+.A-Za-z0-9]+/)) {
    position += RLENGTH
  } else {
    print "package-targets: this is no JSON" > "/dev/stderr"
    exit 1
  }
}

function next_character() {
  while (substr(json, position, 1) ~ /[ \t\r\n]/) position++
  return substr(json, position, 1)
}

# Names of targets need no escapes; what has some is kept as it is written.
function text(    start) {
  start = ++position
  while (substr(json, position, 1) != "\"") {
    if (position > length(json)) exit 1
    position += substr(json, position, 1) == "\\" ? 2 : 1
  }
  position++
  return substr(json, start, position - start - 1)
}
