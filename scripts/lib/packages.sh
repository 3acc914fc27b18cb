# shellcheck shell=bash
# What has to be installed to build, run and test Holdfast. Source it, then:
#
#   require_packages [--tests]   returns at once when nothing is missing; else installs it (as root), asks before using
#                                sudo (on a terminal), or says what to type and exits with 69
#
# It also puts `swift` into PATH when it lies in one of the usual places outside of it.
#
# Who builds as another user sets packages_swift_home to that user's home, and packages_swift_runner to a command that runs its arguments as
# that user: Swift is then looked for there, run so, and not put into the PATH of the caller.

# shellcheck source=programs.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/programs.sh"

packages_swift_needed=6.2
packages_swift_home='' packages_swift_runner=''

require_packages() {
  local -a missing=()
  local swift_problem=''
  packages_missing missing "$@"
  swift_problem=$(packages_check_swift) || true
  [[ -n $swift_problem ]] || packages_use_swift
  if [[ -n $swift_problem ]]; then
    printf '%s\n' "$swift_problem" >&2
    [[ ${#missing[@]} -eq 0 ]] || packages_say missing
    exit 69
  fi
  [[ ${#missing[@]} -gt 0 ]] || return 0
  packages_install missing
  packages_missing missing "$@"
  if [[ ${#missing[@]} -gt 0 ]]; then
    printf 'error: still missing after the installation: %s\n' "${missing[*]}" >&2
    exit 69
  fi
}

# Fills the array of that name with Debian's names of what is missing.
packages_missing() {
  local -n packages_result=$1
  local tests=${2:-} pair
  packages_result=()
  command -v pkg-config >/dev/null || packages_result+=(pkg-config)
  for pair in libpq:libpq-dev zlib:zlib1g-dev libzstd:libzstd-dev libcrypto:libssl-dev libxxhash:libxxhash-dev \
    yaml-0.1:libyaml-dev; do
    pkg-config --exists "${pair%%:*}" 2>/dev/null || packages_result+=("${pair#*:}")
  done
  newest_server_folder >/dev/null || packages_result+=(postgresql)
  packages_has_program pg_dump && packages_has_program psql || packages_result+=(postgresql-client)
  packages_has_program zstd || packages_result+=(zstd)
  [[ $tests == --tests ]] || return 0
  # Completions are tested in the shells that they are for, the manual page by the programs that print it.
  for pair in pgbouncer:pgbouncer zsh:zsh fish:fish man:man-db groff:groff-base; do
    packages_has_program "${pair%%:*}" || packages_result+=("${pair#*:}")
  done
}

# An ordinary user's PATH often lacks the sbin folders, and the newest client lies beside its server.
packages_has_program() {
  command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 ]] || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

packages_install() {
  local -n packages_wanted=$1
  if ! command -v apt-get >/dev/null; then
    packages_say "$1"
    exit 69
  elif [[ $(id -u) -eq 0 ]]; then
    packages_apt "${packages_wanted[@]}"
  elif [[ -t 0 ]] && command -v sudo >/dev/null; then
    packages_say "$1"
    packages_agreed || exit 69
    packages_apt "${packages_wanted[@]}"
  else
    packages_say "$1"
    exit 69
  fi
}

packages_agreed() {
  local answer=''
  printf 'Install them now with sudo? [y/N] ' >&2
  read -r answer || true
  [[ $answer == [yY] || $answer == [yY][eE][sS] ]]
}

# apt-get is quiet, but its whole output is shown when it fails.
packages_apt() {
  local output
  local -a as_root=(env DEBIAN_FRONTEND=noninteractive)
  [[ $(id -u) -eq 0 ]] || as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
  printf 'Installing %s\n' "$*" >&2
  if ! output=$("${as_root[@]}" apt-get update -q 2>&1 &&
    "${as_root[@]}" apt-get install -q --yes --no-install-recommends "$@" 2>&1); then
    printf '%s\nerror: apt-get failed\nhint: apt-get install %s\n' "$output" "$*" >&2
    exit 69
  fi
}

packages_say() {
  local -n packages_named=$1
  local sudo=''
  if command -v apt-get >/dev/null; then
    [[ $(id -u) -eq 0 ]] || sudo='sudo '
    printf 'error: missing: %s\n' "${packages_named[*]}" >&2
    printf 'hint: %sapt-get update && %sapt-get install --yes --no-install-recommends %s\n' \
      "$sudo" "$sudo" "${packages_named[*]}" >&2
  else
    printf 'error: missing (by the names of Debian'\''s packages): %s\n' "${packages_named[*]}" >&2
    printf '%s\n' "hint: install with your system's package manager: pkg-config, the headers of libpq, zlib, libzstd," \
      "      OpenSSL, xxHash and libyaml, a PostgreSQL server with its client programs, and zstd" >&2
  fi
}

# Prints what is wrong with Swift; nothing when it will do.
packages_check_swift() {
  local swift version
  swift=$(packages_find_swift)
  if [[ -z $swift ]]; then
    printf 'error: swift was not found\n'
    printf 'hint: get Swift %s or newer from https://www.swift.org/install/linux/ and put its usr/bin into PATH\n' \
      "$packages_swift_needed"
    return 1
  fi
  version=$(${packages_swift_runner:+"$packages_swift_runner"} "$swift" --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -n 1) || true
  if [[ -z $version ]]; then
    printf 'error: %s does not say its version\n' "$swift"
    printf 'hint: try  %s --version  (with swiftly: swiftly install latest)\n' "$swift"
    return 1
  fi
  if [[ $(printf '%s\n%s\n' "$packages_swift_needed" "$version" | sort -V | head -n 1) != "$packages_swift_needed" ]]
  then
    printf 'error: %s is Swift %s, and %s is needed\n' "$swift" "$version" "$packages_swift_needed"
    printf 'hint: get a newer one from https://www.swift.org/install/linux/\n'
    return 1
  fi
}

packages_find_swift() {
  local folder home=${packages_swift_home:-${HOME:-/}}
  if command -v swift >/dev/null; then
    command -v swift
    return
  fi
  for folder in /usr/bin "$home/.swiftly/bin" "${SWIFTLY_BIN_DIR:-/usr/bin}" "$home/.local/share/swiftly/bin"; do
    if [[ -x $folder/swift ]]; then
      printf '%s\n' "$folder/swift"
      return
    fi
  done
}

packages_use_swift() {
  local folder
  [[ -z $packages_swift_runner ]] || return 0
  folder=$(dirname -- "$(packages_find_swift)")
  [[ :$PATH: == *:"$folder":* ]] || export PATH=$PATH:$folder
}
