# Two files of facts (name, tab, value) in; one line a difference out.
BEGIN { FS = "\t" }
{ value = substr($0, length($1) + 2) }
NR == FNR { first[$1] = value; next }
!($1 in first) { print $1 ": only in the second: " shortened(value); next }
{
  if (first[$1] != value) print $1 ": " difference(first[$1], value)
  delete first[$1]
}
END { for (name in first) print name ": only in the first: " shortened(first[name]) }

function shortened(s) { return length(s) > 160 ? substr(s, 1, 157) "..." : s }

# Of a long text the first line that differs.
function difference(a, b,    left, right, n, m, i) {
  n = split(a, left, /\\n/)
  m = split(b, right, /\\n/)
  for (i = 1; i <= n && i <= m && left[i] == right[i]; i++) continue
  return shortened(i <= n ? left[i] : "(nothing)") " | " shortened(i <= m ? right[i] : "(nothing)")
}
