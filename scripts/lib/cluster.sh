# shellcheck shell=bash
# Throwaway PostgreSQL clusters for scripts. Source it; it runs nothing by itself.
#
#   cleanup_at_exit                installs the traps; call it once, in the script itself, before anything else here
#   defer COMMAND ARG...           runs it when the script ends, however it ends; the last one first
#   scratch_folder VARIABLE        makes a temporary folder, sets VARIABLE to it, removes it at the end
#   attended COMMAND ARG...        runs a long command so that a signal to the script ends it at once
#   cluster_start DIR [NAME=VALUE...]  a server below DIR, with these settings; exports PGHOST, PGPORT, PGUSER
#   cluster_stop [DIR]             stops the one below DIR (default: the last started); at the end it happens by itself
#
# CLUSTER_BIN, when set before cluster_start, is the folder of PostgreSQL's programs; else it is found, set and put
# first in PATH. Statuses: 69 no server programs, or it does not start; 73 the server's user cannot reach DIR.

# shellcheck source=programs.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/programs.sh"
# shellcheck source=other-user.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/other-user.sh"

declare -a cleanup_commands=()
declare -A cluster_sockets=()
cluster_last='' attended_child='' cleanup_held='' cleanup_pending=''

cleanup_at_exit() {
  trap 'cleanup_run' EXIT
  trap 'cleanup_signal 129' HUP
  trap 'cleanup_signal 130' INT
  trap 'cleanup_signal 141' PIPE
  trap 'cleanup_signal 143' TERM
}

cleanup_signal() {
  cleanup_pending=$1
  [[ -n $cleanup_held ]] || exit "$1"
}

defer() {
  local command
  printf -v command '%q ' "$@"
  cleanup_commands+=("$command")
}

# A second signal must not cut the cleaning short, and one failing step must not keep the others from running.
cleanup_run() {
  local status=$? i
  trap '' HUP INT PIPE TERM
  trap - EXIT
  set +e
  if [[ -n $attended_child ]]; then
    # With all of its group where it leads one; its number is nobody else's before `wait`.
    kill -TERM -- "-$attended_child" 2>/dev/null || kill -TERM "$attended_child" 2>/dev/null
    wait "$attended_child" 2>/dev/null
  fi
  for ((i = ${#cleanup_commands[@]} - 1; i >= 0; i--)); do eval "${cleanup_commands[i]}"; done
  cleanup_commands=()
  exit "$status"
}

# bash handles a signal only after the command it waits for; `wait` is the exception.
attended() {
  local status=0
  "$@" <&0 &
  attended_child=$!
  wait "$attended_child" || status=$?
  attended_child=''
  return "$status"
}

# TMPDIR may be a place that the server's user cannot enter (root's own, say): then /tmp.
scratch_folder() {
  local parent=${TMPDIR:-/tmp}
  cluster_reachable "$parent" || parent=/tmp
  made_folder "$1" "$parent/holdfast.XXXXXX" && cluster_let_in "${!1}"
}

# A signal between making and noting would leave the folder behind: it waits until both are done.
made_folder() {
  local made
  cleanup_held=yes
  if made=$(mktemp -d "$2"); then
    defer rm -rf -- "$made"
    printf -v "$1" '%s' "$made"
  fi
  cleanup_held=''
  [[ -z $cleanup_pending ]] || exit "$cleanup_pending"
  [[ -n $made ]] || return 73
}

cluster_start() {
  local dir=$1 server_user cluster_socket
  shift
  cluster_find_programs || return
  mkdir -p -- "$dir"
  dir=$(cd -- "$dir" && pwd -P)
  cluster_open_to_server "$dir" || return
  cluster_initialise "$dir" || return

  # A folder of its own, as the path of a socket may have only 107 bytes and DIR may be longer.
  made_folder cluster_socket /tmp/holdfast-s.XXXXXX || return
  cluster_sockets[$dir]=$cluster_socket
  server_user=$(cluster_user)
  [[ -z $server_user ]] || chown -- "$server_user" "$cluster_socket"
  cluster_configure "$dir" "$cluster_socket" "$@" || return
  defer cluster_stop "$dir"
  if ! cluster_as_server "$CLUSTER_BIN/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null; then
    printf 'error: PostgreSQL does not start: its log is %s/log\n' "$dir" >&2
    tail -n 20 -- "$dir/log" >&2 || true
    return 69
  fi
  cluster_last=$dir
  cluster_use "$dir"
}

# Points libpq at a running cluster, and at nothing else that the caller's environment may have named.
cluster_use() {
  local name
  for name in $(compgen -e PG); do unset "$name"; done
  export PGHOST=${cluster_sockets[$1]} PGPORT=5432 PGUSER=postgres
}

cluster_stop() {
  local dir=${1:-$cluster_last} socket
  [[ -n $dir ]] || return 0
  [[ -d $dir ]] && dir=$(cd -- "$dir" && pwd -P)
  socket=${cluster_sockets[$dir]:-}
  if [[ -s $dir/data/postmaster.pid ]]; then
    cluster_as_server "$CLUSTER_BIN/pg_ctl" -D "$dir/data" -m fast -w -t 15 stop >/dev/null 2>&1 ||
      cluster_as_server "$CLUSTER_BIN/pg_ctl" -D "$dir/data" -m immediate -w -t 15 stop >/dev/null 2>&1 ||
      cluster_kill "$dir" || true
  fi
  [[ -z $socket ]] || rm -rf -- "$socket"
  unset "cluster_sockets[\$dir]"
  [[ $dir != "$cluster_last" ]] || cluster_last=''
}

# The number stands in a file of the server's user, who may have written any other there: it is read, and signalled, as that user and never
# as root.
cluster_kill() {
  # shellcheck disable=SC2016  # the other shell expands it
  cluster_as_server bash -c 'read -r pid <"$2" && exec "$1" kill KILL "$pid"' bash "$CLUSTER_BIN/pg_ctl" "$1/data/postmaster.pid" 2>/dev/null
}

cluster_find_programs() {
  [[ -n ${CLUSTER_BIN:-} ]] || CLUSTER_BIN=$(newest_server_folder) || true
  if [[ ! -x $CLUSTER_BIN/initdb || ! -x $CLUSTER_BIN/postgres ]]; then
    printf 'error: no PostgreSQL server: initdb, pg_ctl and postgres were not found together\n' >&2
    printf 'hint: apt-get install postgresql, or set CLUSTER_BIN to the folder that has them\n' >&2
    return 69
  fi
  export CLUSTER_BIN
  [[ $PATH: == "$CLUSTER_BIN":* ]] || export PATH=$CLUSTER_BIN:$PATH
}

# Prints the user who runs the server; nothing when that is the caller. PostgreSQL refuses to run as root.
cluster_user() {
  [[ $(id -u) -eq 0 ]] || return 0
  if id -u postgres >/dev/null 2>&1; then printf 'postgres\n'; else printf 'nobody\n'; fi
}

# In /, as the caller's folder may be closed to the server's user, and without the caller's PG* settings.
cluster_as_server() (
  cd /
  user=$(cluster_user)
  for name in $(compgen -e PG); do unset "$name"; done
  if [[ -z $user ]]; then exec "$@"; fi
  as_other_user "$user" --clear-groups "$@"
)

cluster_reachable() { cluster_as_server test -x "$1"; }

# The server's user needs the way in, not the list of what is there.
cluster_let_in() {
  local user
  user=$(cluster_user)
  [[ -n $user ]] || return 0
  chgrp -- "$(id -g "$user")" "$1"
  chmod g+x -- "$1"
}

cluster_open_to_server() {
  local dir=$1 user
  user=$(cluster_user)
  mkdir -p -- "$dir/data"
  : >>"$dir/log"
  cluster_let_in "$dir"
  [[ -z $user ]] || chown -- "$user" "$dir/data" "$dir/log"
  cluster_reachable "$dir" && return
  printf 'error: the user %s cannot enter %s: a folder above it is closed\n' "$user" "$dir" >&2
  printf 'hint: choose a folder below /tmp, or set TMPDIR to one that everybody may enter\n' >&2
  return 73
}

cluster_initialise() {
  local dir=$1 locale=C
  [[ ! -e $dir/data/PG_VERSION ]] || return 0
  if locale -a 2>/dev/null | grep -qixE 'c\.utf-?8'; then locale=C.UTF-8; fi
  cluster_as_server "$CLUSTER_BIN/initdb" -N -A trust -U postgres -E UTF8 --locale="$locale" -D "$dir/data" \
    >"$dir/initdb.log" 2>&1 && return
  printf 'error: initdb failed:\n' >&2
  tail -n 20 -- "$dir/initdb.log" >&2
  return 69
}

# A file of its own, written anew at each start: nothing here survives the cluster, so nothing needs to reach the disk. The server's user
# writes it, as root must not write in a folder of somebody else's: a name there may be a link.
cluster_configure() {
  local dir=$1 socket=$2 setting value quote="'"
  shift 2
  # shellcheck disable=SC2016  # the other shell expands it
  {
    printf "listen_addresses = ''\nport = 5432\nunix_socket_directories = '%s'\n" "$socket"
    printf 'fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nmax_wal_size = 2GB\n'
    for setting in "$@"; do
      value=${setting#*=}
      printf "%s = '%s'\n" "${setting%%=*}" "${value//$quote/$quote$quote}"
    done
  } | cluster_as_server bash -c 'cat >"$1/scratch.conf" &&
    { grep -qxF "$2" "$1/postgresql.conf" || printf "\n%s\n" "$2" >>"$1/postgresql.conf"; }' \
    bash "$dir/data" "include 'scratch.conf'"
}
