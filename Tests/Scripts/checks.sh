# shellcheck shell=bash
# What the tests of the scripts share. Source it after scripts/lib/cluster.sh.

failures=0

# check NAME STATUS PATTERN COMMAND...: the command's status, and an extended regular expression that a line of its
# output (both streams) has to match.
check() {
  local name=$1 wanted=$2 pattern=$3 status=0 output
  shift 3
  output=$("$@" 2>&1 </dev/null) || status=$?
  if [[ $status -eq $wanted ]] && grep -qE -- "$pattern" <<<"$output"; then
    printf 'ok: %s\n' "$name"
  else
    printf 'not ok: %s (status %s, wanted %s and %s)\n%s\n' "$name" "$status" "$wanted" "$pattern" "$output"
    failures=$((failures + 1))
  fi
}

# The test's last line.
report() {
  [[ $failures -eq 0 ]] || printf '%s failed\n' "$failures" >&2
  [[ $failures -eq 0 ]]
}
