# From the text of pg_dump --schema-only to facts: the name of an entry, a tab, its text on one line. The order of
# entries is no fact, and neither is what pg_dump itself prints otherwise after a restore.

# The key in \restrict differs in each run.
!key_known && /^\\restrict [A-Za-z0-9]+$/ { key_known = 1; key = $2; next }
key_known && ($0 == "\\restrict " key || $0 == "\\unrestrict " key) { next }
/^-- Dumped (from database|by pg_dump) version / { next }

# The order of entries decides where these stand; database-facts.sql has them for each relation.
!open && /^SET default_(tablespace|table_access_method) = / { next }

# An entry begins with two lines, -- and -- Name: …; the same two lines in a comment or a function are text.
!open && /^-- Name: .*; Type: / && previous == "--" {
  sub(/\n--$/, "", text)
  finish()
  name = label(substr($0, 10))
  text = $0
  previous = $0
  next
}
{ text = text "\n" $0; previous = $0; open = quote_after($0, open) }
END { finish() }

# `users; Type: TABLE; Schema: public; Owner: x` to `TABLE public.users`.
function label(header,    type, schema) {
  sub(/; Owner: .*$/, "", header)
  sub(/; Tablespace: .*$/, "", header)
  schema = header
  sub(/^.*; Schema: /, "", schema)
  sub(/; Schema: [^;]*$/, "", header)
  type = header
  sub(/^.*; Type: /, "", type)
  sub(/; Type: [^;]*$/, "", header)
  header = type " " (schema == "-" ? "" : schema ".") header
  gsub(/\t/, " ", header)
  return header
}

function finish(    shown) {
  if (name == "") name = "(settings)"
  shown = arrays(text)
  if (shown ~ /\nINHERITS \(/) shown = sorted(shown, "\n", ",$")
  if (name ~ /^POLICY /) shown = sorted_roles(shown)
  sub(/\n+$/, "", shown)
  gsub(/\\/, "&&", shown)
  gsub(/\t/, "\\t", shown)
  gsub(/\r/, "\\r", shown)
  gsub(/\n/, "\\n", shown)
  if (seen[name]++) name = name " (" seen[name] ")"
  print "schema: " name "\t" shown
}

# What a line leaves open for the next one: nothing, ', E' (where a backslash escapes), " or a dollar quote.
function quote_after(line, open,    at) {
  while (line != "") {
    if (open == "") {
      if (!match(line, /'|"|\$[A-Za-z_\200-\377][A-Za-z_0-9\200-\377]*\$|\$\$|--/)) return ""
      open = substr(line, RSTART, RLENGTH)
      if (open == "--") return ""
      if (open == "'" && substr(" " line, RSTART - 1, 2) ~ /[^A-Za-z_0-9][eE]/) open = "E'"
      line = substr(line, RSTART + RLENGTH)
    } else if (open == "E'") {
      if (!match(line, /['\\]/)) return open
      if (substr(line, RSTART, 1) == "'") open = ""
      line = substr(line, RSTART + (open == "" ? 1 : 2))
    } else {
      at = index(line, open)
      if (!at) return open
      line = substr(line, at + length(open))
      open = ""
    }
  }
  return open
}

# varchar_column IN ('a', 'b') is printed as (ARRAY['a'::character varying, …])::text[] first, and after a restore as
# ARRAY[('a'::character varying)::text, …]: both become ARRAY['a'::character varying, …].
function arrays(rest,    done, at, end, inside, wrapped) {
  done = ""
  while ((at = index(rest, "ARRAY[")) > 0) {
    wrapped = substr(rest, at - 1, 1) == "(" && at > 1
    done = done substr(rest, 1, at + 5)
    rest = substr(rest, at + 6)
    end = element_end(rest, "]")
    if (!end) continue
    inside = substr(rest, 1, end - 1)
    rest = substr(rest, end)
    if (wrapped && substr(rest, 1, 10) == "])::text[]") {
      done = substr(done, 1, length(done) - 7) "ARRAY["
      rest = "]" substr(rest, 11)
    }
    done = done elements(inside)
  }
  return done rest
}

function elements(inside,    done, end, one) {
  done = ""
  while (inside != "") {
    end = element_end(inside, ",")
    one = end ? substr(inside, 1, end - 1) : inside
    inside = end ? substr(inside, end + 1) : ""
    sub(/^ /, "", one)
    if (one ~ /^\(.*\)::text$/ && element_end(substr(one, 2), ")") == length(one) - 7)
      one = substr(one, 2, length(one) - 8)
    done = done (done == "" ? "" : ", ") arrays(one)
  }
  return done
}

# Where the wanted character stands outside of quotes and brackets; 0: nowhere.
function element_end(s, wanted,    i, c, depth, quote, n) {
  n = length(s)
  for (i = 1; i <= n; i++) {
    c = substr(s, i, 1)
    if (quote != "") { if (c == quote) quote = "" }
    else if (depth == 0 && c == wanted) return i
    else if (c == "'" || c == "\"") quote = c
    else if (c == "(" || c == "[") depth++
    else if (c == ")" || c == "]") { if (--depth < 0) return 0 }
  }
  return 0
}

# A table that inherits columns has them in another order after a restore.
function sorted(s, separator, ignored,    parts, n, i, j, kept) {
  n = split(s, parts, separator)
  for (i = 1; i <= n; i++) sub(ignored, "", parts[i])
  for (i = 2; i <= n; i++) {
    kept = parts[i]
    for (j = i - 1; j >= 1 && parts[j] > kept; j--) parts[j + 1] = parts[j]
    parts[j + 1] = kept
  }
  s = parts[1]
  for (i = 2; i <= n; i++) s = s separator parts[i]
  return s
}

# pg_dump prints the roles of a policy in the order of their oids; database-facts.sql has them by name.
function sorted_roles(s,    start, end, list) {
  if (!match(s, / TO [^(;]*( USING \(| WITH CHECK \(|;)/)) return s
  start = RSTART + 4
  list = substr(s, start, RLENGTH - 4)
  match(list, /( USING \(| WITH CHECK \(|;)$/)
  end = start + RSTART - 1
  list = substr(list, 1, RSTART - 1)
  return substr(s, 1, start - 1) sorted(list, ", ", "^$") substr(s, end)
}
