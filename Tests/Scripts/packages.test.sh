#!/usr/bin/env bash
# scripts/lib/packages.sh with tools that lie about what is there: nothing is installed by this test.
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
mkdir "$work/fake" "$work/home"
fake() {
  printf '#!/bin/sh\n%s\n' "$2" >"$work/fake/$1"
  chmod a+rx "$work/fake/$1"
}
required() { PATH=$work/fake:$PATH HOME=$work/home bash -euo pipefail -c ". '$top/scripts/lib/packages.sh'; require_packages $*; echo done"; }
ordinary() {
  if [[ $(id -u) -eq 0 ]]; then
    setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "$@"
  else
    "$@"
  fi
}
export -f required
export top work

fake swift 'echo "Swift version 6.3.1 (swift-6.3.1-RELEASE)"'
fake pkg-config 'exit 0'
fake pg_dump ''; fake psql ''; fake zstd ''; fake pgbouncer ''
for program in zsh fish man groff; do fake "$program" ''; done
fake apt-get "echo \"\$@\" >>'$work/apt.log'; exit 0"

check 'says nothing and installs nothing when nothing is missing' 0 '^done$' required --tests
check 'did not even ask apt-get' 1 '^$' test -e "$work/apt.log"

fake swift 'echo "Swift version 5.10 (swift-5.10-RELEASE)"'
check 'refuses an old Swift, and says which is needed' 69 'is Swift 5.10, and 6.2 is needed' required
fake swift 'exit 1'
check 'refuses a Swift that does not start' 69 'does not say its version' required
fake swift 'echo "Swift version 6.10 (x)"'
check 'takes 6.10 for newer than 6.2' 0 '^done$' required

# shellcheck disable=SC2016  # the fake expands it
fake pkg-config '[ "$2" != yaml-0.1 ]'
check 'an ordinary user without a terminal gets the exact line' 69 \
  'apt-get install --yes --no-install-recommends libyaml-dev$' ordinary bash -c required
if [[ $(id -u) -eq 0 ]]; then
  check 'what apt-get did not bring is an error' 69 'still missing after the installation: libyaml-dev' required
  check 'apt-get was given only what is missing' 0 'install -q --yes --no-install-recommends libyaml-dev' \
    cat "$work/apt.log"
  fake apt-get "[ \"\$1\" = update ] || echo installed >'$work/yaml'"
  fake pkg-config "[ \"\$2\" != yaml-0.1 ] || [ -e '$work/yaml' ]"
  check 'as root it installs and goes on' 0 '^done$' required
  rm "$work/yaml"
  fake apt-get 'echo "E: no network"; exit 100'
  check 'shows what apt-get said when it fails' 69 'E: no network' required
fi

# A system without apt-get: every other program is there.
mkdir "$work/bin"
ln -s /usr/bin/* "$work/bin/"
rm -f "$work/bin/apt-get" "$work/fake/apt-get" "$work/bin/swift"
elsewhere() { PATH=$work/fake:$work/bin HOME=$work/home bash -euo pipefail -c ". '$top/scripts/lib/packages.sh'; require_packages; echo done"; }
check 'elsewhere than on Debian it says what is needed' 69 'with your system.s package manager' elsewhere
fake pkg-config 'exit 0'
rm "$work/fake/swift"
check 'without Swift it says where to get it' 69 'https://www.swift.org/install/linux/' elsewhere
mkdir -p "$work/home/.swiftly/bin"
printf '#!/bin/sh\necho "Swift version 6.3.1"\n' >"$work/home/.swiftly/bin/swift"
chmod a+rx "$work/home/.swiftly/bin/swift"
check 'finds Swift where swiftly puts it' 0 '^done$' elsewhere

report
