# shellcheck shell=bash
# Where PostgreSQL's server programs are. Source it.

# Prints the folder that has initdb, pg_ctl and postgres: the newest of Debian's, else the one that pg_config names,
# else the one in PATH. Status 1 and nothing printed when there is none.
newest_server_folder() {
  local folder in_path
  in_path=$(type -P initdb) || true
  while IFS= read -r folder; do
    if [[ -x $folder/initdb && -x $folder/pg_ctl && -x $folder/postgres ]]; then
      printf '%s\n' "$folder"
      return 0
    fi
  done <<<"$(
    compgen -G '/usr/lib/postgresql/*/bin' | sort -rV || true
    pg_config --bindir 2>/dev/null || true
    printf '%s\n' "${in_path%/initdb}"
  )"
  return 1
}
