# shellcheck shell=bash
# What the benchmarks share. Source it first; it sources scripts/lib/cluster.sh and goes to the top folder.
#
#   bench_begin                   bench_program, and drops the databases that begin with $scratch at the end
#   bench_program                 traps; $folder for all that is written; $program: HOLDFAST_PROGRAM's, else built now
#   policy NAME DATABASE [YAML]   writes $folder/NAME/policies, its repository beside it, for the two below
#   take NAME                     a fresh backup by that policy, timed as NAME; the one before it is removed first
#   holdfast NAME COMMAND ARG...  the program with that policy, timed as NAME
#   timed NAME COMMAND ARG...     notes its seconds, and the memory of the largest process in it, as a round of NAME
#   grouped COMMAND ARG...        runs it so that a signal to the script ends it and all that it started; prints nothing
#                                 unless it fails
#   rounds N FUNCTION...          calls the functions in turn, N times: what disturbs the machine disturbs all of them
#   median NAME [COLUMN]          of the rounds; column 1 seconds, 2 KB
#   ratio A B                     to two digits
#   size PATH                     bytes; of a folder with all that is in it
#   drop_scratch NAME...          drops the databases whose names begin with $scratch and NAME
#   new_database NAME             makes one that is dropped at the end, unless new_database_done was called
#
# What takes long runs by `timed`, `grouped` or `attended`: a signal then ends it at once, and nothing stays.

[[ -z ${HOLDFAST_PROGRAM:-} ]] || HOLDFAST_PROGRAM=$(realpath -- "$HOLDFAST_PROGRAM")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit
# shellcheck source=../lib/cluster.sh
. scripts/lib/cluster.sh
# shellcheck source=../lib/release.sh
. scripts/lib/release.sh

folder='' program='' group=''
scratch=holdfast_bench_$$_

usage() {
  printf 'usage: scripts/bench/%s\n' "$1" >&2
  exit 64
}

bench_begin() {
  bench_program
  defer end_scratch
  # The last first: what runs ends before its databases go.
  defer end_group
}
bench_program() {
  cleanup_at_exit
  made_folder folder "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX"
  # What the compiler leaves in the temporary folder goes with it.
  export TMPDIR=$folder
  if [[ -n ${HOLDFAST_PROGRAM:-} ]]; then
    program=$HOLDFAST_PROGRAM
  else
    build_release "$folder/build.log" attended
    # shellcheck disable=SC2034 # for the scripts
    program=$(swift build -c release --show-bin-path)/holdfast
  fi
}

policy() {
  mkdir -p -- "$folder/$1/policies"
  {
    printf 'database: {url: "postgresql://%s@/%s?host=%s&port=%s"}\n' \
      "${PGUSER:-$(id -un)}" "$2" "${PGHOST:-/var/run/postgresql}" "${PGPORT:-5432}"
    printf '%s\n' "${@:3}"
  } >"$folder/$1/policies/bench.yaml"
}
holdfast() { timed "$1" "$program" "${@:2}" --quiet --policies "$folder/$1/policies"; }
take() {
  rm -rf -- "$folder/$1/backups"
  holdfast "$1" backup --create-repository
}

timed() { grouped /usr/bin/time -a -o "$folder/$1.times" -f '%e %M' "${@:2}"; }
# A process group of its own: a shell with a pipe and time(1) pass no signal on.
grouped() {
  local status=0
  setsid "$@" >/dev/null 2>"$folder/errors" &
  group=$!
  wait "$group" || status=$?
  group=''
  [[ $status -eq 0 ]] || failed "$status" "$@"
  return "$status"
}
failed() {
  cat -- "$folder/errors" >&2
  printf 'error: status %d of: %s\n' "$1" "${*:2}" >&2
}
# Waits until all of it is gone: what it cleans up itself must not meet what is removed next.
end_group() {
  local i
  [[ -n $group ]] || return 0
  kill -TERM -- "-$group" 2>/dev/null
  for ((i = 0; i < 150; i++)); do
    kill -0 -- "-$group" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$group" 2>/dev/null
}

rounds() {
  local count=$1 function
  shift
  for ((; count > 0; count--)); do
    for function in "$@"; do "$function"; done
  done
}
median() { sort -n -k "${2:-1},${2:-1}" "$folder/$1.times" | awk -v c="${2:-1}" '{v[NR] = $c} END {print v[int((NR + 1) / 2)]}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {if (b > 0) printf "%.2f", a / b; else printf "-"}'; }
size() { du -sb -- "$1" | cut -f 1; }

# CREATE DATABASE goes on in the server when its client was killed, and is not seen before it is done.
end_scratch() {
  psql -XAtqd postgres -c "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND query LIKE '%CREATE DATABASE%$scratch%'" >/dev/null
  drop_scratch ''
}
drop_scratch() {
  local beginning name
  for beginning in "$@"; do
    while IFS= read -r name; do
      [[ -z $name ]] || dropdb --force --if-exists -- "$name"
    done <<<"$(psql -XAtd postgres -c "SELECT datname FROM pg_database WHERE starts_with(datname, '$scratch$beginning')")"
  done
}

# As above: a signal waits until the database is there, and noted.
unfinished_database=''
new_database() {
  cleanup_held=yes
  if (trap '' HUP INT TERM && exec createdb -T template0 -- "$1"); then
    unfinished_database=$1
    defer drop_unfinished
  fi
  cleanup_held=''
  [[ -z $cleanup_pending ]] || exit "$cleanup_pending"
  [[ -n $unfinished_database ]]
}
new_database_done() { unfinished_database=''; }
drop_unfinished() { [[ -z $unfinished_database ]] || dropdb --force -- "$unfinished_database"; }
