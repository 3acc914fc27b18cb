#!/usr/bin/env bash
# scripts/lib/cluster.sh: a script that uses it ends in every way there is, and has to leave nothing behind.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../scripts/lib/cluster.sh
. "$top/scripts/lib/cluster.sh"
# shellcheck source=checks.sh
. "$top/Tests/Scripts/checks.sh"
cleanup_at_exit
work=''
scratch_folder work
chmod a+rx "$work"

# Starts a cluster, notes where everything is, says so, and ends as it is told.
cat >"$work/script" <<'SCRIPT'
set -euo pipefail
. "$TOP/scripts/lib/cluster.sh"
cleanup_at_exit
scratch_folder folder
printf '%s\n' "$folder" >"$NOTES"
if [[ $1 == early ]]; then sleep 0.3; fi
cluster_start "$folder/a b" work_mem=7MB "cluster_name=it's"
printf '%s\n' "$PGHOST" "$(head -n 1 "$folder/a b/data/postmaster.pid")" >>"$NOTES"
printf 'settings %s %s %s %s tcp=%s.\n' $(psql -XAtq -c 'SHOW work_mem' -c 'SHOW cluster_name' -c 'SHOW fsync' \
  -c 'SELECT current_user' -c 'SHOW listen_addresses')
printf 'environment %s.\n' "$(compgen -e PG | sort | paste -sd ' ')"
case $1 in
  end) ;;
  error) false ;;
  stop) cluster_stop; psql -XAtq -c 'SELECT 1' && echo 'still there' ;;
  again) cluster_stop; cluster_start "$folder/a b"; psql -XAtq -c "SELECT 'back'" ;;
  two)
    one=$PGHOST
    cluster_start "$folder/second"
    printf '%s\n' "$PGHOST" >>"$NOTES"
    [[ $(PGHOST=$one psql -XAtq -c 'SHOW data_directory') == "$folder/a b/data" ]]
    [[ $(psql -XAtq -c 'SHOW data_directory') == "$folder/second/data" ]] && echo 'two servers' ;;
  busy) attended psql -XAtq -c 'SELECT pg_sleep(60)' ;;
  pipe) while echo line; do :; done ;;
esac
SCRIPT
chmod a+r "$work/script"
mkdir -m 777 "$work/notes"

left_behind() {
  local place
  while IFS= read -r place; do
    if [[ $place == /* && -e $place ]]; then printf 'left: %s\n' "$place"; fi
    [[ $place != /* && -e /proc/$place ]] || continue
    # A zombie has ended; who started it has only not asked yet.
    [[ $(sed 's/.*) //' "/proc/$place/stat") == Z* ]] || printf 'runs: %s\n' "$place"
  done <"$work/notes/it"
}
# after NAME STATUS PATTERN COMMAND...: like check, and then nothing may be left.
after() {
  rm -f -- "$work/notes/it"
  check "$@"
  check "  and leaves nothing ($1)" 0 '^$' left_behind
  check "  and had begun ($1)" 0 '^/' cat "$work/notes/it"
}
export TOP=$top NOTES=$work/notes/it
run=(bash "$work/script")

after 'a server on a socket only, with its settings' 0 "^settings 7MB it's off postgres tcp=\\.\$" "${run[@]}" end
after 'nothing of the caller'\''s libpq environment stays' 0 '^environment PGHOST PGPORT PGUSER\.$' \
  env PGDATABASE=x PGSSLMODE=require PGSERVICE=y PGHOST2=z "${run[@]}" end
after 'a failing script keeps its status' 1 '^settings' "${run[@]}" error
after 'cluster_stop stops it' 2 'No such file or directory|failed' "${run[@]}" stop
after 'a stopped one starts again with its data' 0 '^back$' "${run[@]}" again
after 'two at once' 0 '^two servers$' "${run[@]}" two
after 'INT in the midst of a statement' 130 '^settings' timeout --preserve-status -s INT 6 "${run[@]}" busy
after 'TERM in the midst of a statement' 143 '^settings' timeout --preserve-status -s TERM 6 "${run[@]}" busy
after 'TERM to the script alone ends it at once' 143 '^settings' \
  timeout --preserve-status --foreground -s TERM 6 "${run[@]}" busy
after 'HUP' 129 '^settings' timeout --preserve-status -s HUP 6 "${run[@]}" busy
after 'TERM before the server is there' 143 '^(Terminated)?$' timeout --preserve-status -s TERM 0.15 "${run[@]}" early
after 'TERM while the server is being made' 143 '^(Terminated)?$' timeout --preserve-status -s TERM 0.6 "${run[@]}" early
after 'a reader that goes away' 0 '^settings' bash -c "bash '$work/script' pipe 2>/dev/null | head -n 1; sleep 1"

long=$work/$(printf 'a long name for a temporary folder%.0s ' 1 2 3 4)
mkdir -m 1777 -- "$long"
after 'a TMPDIR with spaces, too long for a socket' 0 '^settings 7MB' env TMPDIR="$long" "${run[@]}" end
if [[ $(id -u) -eq 0 ]]; then
  mkdir -m 700 "$work/closed"
  after 'a TMPDIR that the server may not enter' 0 '^settings 7MB' env TMPDIR="$work/closed" "${run[@]}" end
  after 'an ordinary user' 0 '^settings 7MB' \
    setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "${run[@]}" end

  # The server's user writes what it likes into its own folder.
  cat >"$work/hostile" <<'SCRIPT'
set -euo pipefail
. "$TOP/scripts/lib/cluster.sh"
cleanup_at_exit
scratch_folder folder
cluster_start "$folder/it"
as_user=(cluster_as_server bash -c)
case $1 in
  link)
    cluster_stop
    "${as_user[@]}" 'ln -sf "$2" "$1/scratch.conf"' bash "$folder/it/data" "$VICTIM"
    cluster_start "$folder/it" || true ;;
  pid)
    sleep 60 &
    defer kill "$!"
    "${as_user[@]}" 'cp "$1/postmaster.pid" "$1/real" && echo "$2" >"$1/postmaster.pid"' bash "$folder/it/data" "$!"
    cluster_stop
    # A zombie would be found as well.
    [[ $(sed 's/.*) //' "/proc/$!/stat") == S* ]] && echo 'root goes on'
    "${as_user[@]}" 'mv "$1/real" "$1/postmaster.pid"' bash "$folder/it/data"
    cluster_stop "$folder/it" ;;
  wedged)
    pid=$("${as_user[@]}" 'head -n 1 "$1/postmaster.pid"' bash "$folder/it/data")
    "${as_user[@]}" 'kill -STOP "$1"' bash "$pid"
    cluster_kill "$folder/it"
    sleep 0.5
    [[ -e /proc/$pid && $(sed 's/.*) //' "/proc/$pid/stat") != Z* ]] || echo 'it has ended' ;;
esac
SCRIPT
  echo "root's own" >"$work/victim"
  chmod 600 "$work/victim"
  check 'a link in the server'\''s folder leads nowhere' 0 'Permission denied' env VICTIM="$work/victim" bash "$work/hostile" link
  check '  and what it leads to is as it was' 0 "^root's own\$" cat "$work/victim"
  check 'a number that the server'\''s user wrote ends nothing of root'\''s' 0 '^root goes on$' bash "$work/hostile" pid
  check 'a server that hears no other signal than KILL is ended' 0 '^it has ended$' bash "$work/hostile" wedged

  # What a program of another user's can do with root's terminal. Where the kernel refuses TIOCSTI altogether, the second line is the test.
  cat >"$work/terminal" <<'PERL'
sub say { print "$_[0]: ", ($_[1] ? "yes" : "no"), "\n" }
my $char = "x";
say("types", grep { ioctl($_, 0x5412, $char) } *STDIN, *STDOUT, *STDERR);
say("holds", grep { -t $_ } *STDIN, *STDOUT, *STDERR);
say("opens", open(my $tty, "+<", "/dev/tty"));
PERL
  terminal() {
    TERMINAL_RUN="$1 perl '$work/terminal'" script -qec "bash -c '. \"\$TOP/scripts/lib/cluster.sh\"; eval \"\$TERMINAL_RUN\"; sleep 0.3'" /dev/null </dev/null |
      tr -d '\r' | paste -sd ' '
  }
  export -f terminal
  check 'the test sees a terminal' 0 'holds: yes opens: yes' terminal ''
  check 'another user gets none of root'\''s' 0 '^types: no holds: no opens: no$' terminal cluster_as_server
  check 'a folder that the server may not enter is an error' 73 '^error: the user .* cannot enter' \
    bash -c ". '$top/scripts/lib/cluster.sh'; cleanup_at_exit; cluster_start '$work/closed/x'"
fi
check 'no programs, no server' 69 '^error: no PostgreSQL server' \
  env CLUSTER_BIN=/nowhere bash -c ". '$top/scripts/lib/cluster.sh'; cluster_start '$work/x'"
check 'a setting that the server does not take is an error with its log' 69 'nonsense' \
  bash -c ". '$top/scripts/lib/cluster.sh'; cleanup_at_exit; cluster_start '$work/y' nonsense=1"
report
