#!/usr/bin/env bash
# scripts/install into folders of the test's own, with the real release build.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../scripts/lib/cluster.sh
. "$top/scripts/lib/cluster.sh"
# shellcheck source=checks.sh
. "$top/Tests/Scripts/checks.sh"
cleanup_at_exit
work=''
scratch_folder work
cd -- "$work"
unset DESTDIR
install=$top/scripts/install
tree() { (cd -- "$1" && find . ! -type d -printf '%P %m\n' | sort | paste -sd ' '); }
export -f tree

files='^bin/holdfast 755 bin/holdfast-deploy-hook 755 share/bash-completion/completions/holdfast 644 '
files+='share/doc/holdfast/README.md 644 share/doc/holdfast/deploying.md 644 share/doc/holdfast/exit-codes.md 644 '
files+='share/doc/holdfast/policies/development.yaml 644 share/doc/holdfast/policies/production.yaml 644 '
files+='share/doc/holdfast/policies/staging.yaml 644 share/doc/holdfast/roles.md 644 '
files+='share/fish/vendor_completions.d/holdfast.fish 644 '
files+='share/man/man1/holdfast.1 644 share/zsh/site-functions/_holdfast 644$'
check 'builds and installs from any folder, below a relative prefix with a blank' 0 \
  "^installed $work/a place/bin/holdfast\$" bash -c "umask 077; '$install' --prefix 'a place'"
check 'everything is there, for everybody, and nothing else' 0 "$files" tree 'a place'
check 'the program runs' 0 '^holdfast 0\.' 'a place/bin/holdfast' --version
check 'and has its help' 0 'usage: holdfast COMMAND' 'a place/bin/holdfast' --help
check 'the hook for deploys runs from there' 64 'usage: holdfast-deploy-hook' 'a place/bin/holdfast-deploy-hook'
check 'it needs no library of Swift' 1 '^$' bash -c "ldd 'a place/bin/holdfast' | grep -i swift"
check 'it is stripped' 1 '^$' bash -c "readelf -S 'a place/bin/holdfast' | grep -F .symtab"
check 'man finds the page' 0 'HOLDFAST\(1\)' man -M "$work/a place/share/man" -P cat holdfast
check 'fish finds the completions' 0 '^backup' env HOME="$work" XDG_DATA_DIRS="$work/a place/share" \
  PATH="$work/a place/bin:$PATH" \
  fish -c 'complete -C "holdfast back"'
check 'zsh finds the completions' 0 '^_holdfast$' zsh -fc \
  "fpath=('$work/a place/share/zsh/site-functions' \$fpath); autoload -Uz compinit; compinit -u -D; print \$_comps[holdfast]"
check 'bash takes the completions' 0 '^complete -F _holdfast holdfast$' bash -c \
  ". '$work/a place/share/bash-completion/completions/holdfast'; complete -p holdfast"

# A run of the old program, as cron's, while a new one is installed over it.
cp -- "$(type -P sleep)" 'a place/bin/holdfast'
'a place/bin/holdfast' 60 &
running=$!
defer kill "$running"
old=$(stat -c %i 'a place/bin/holdfast')
check 'installs over a program that runs' 0 '^installed ' "$install" --prefix "$work/a place"
check 'by a new file, not by writing into the old one' 1 "^[0-9]+\$" \
  bash -c "stat -c %i 'a place/bin/holdfast' | grep -vx $old && exit 1"
check 'the one that runs goes on' 0 '^$' kill -0 "$running"
check 'no temporary name stays' 0 "$files" tree 'a place'

check 'DESTDIR stands before the prefix' 0 "^installed $work/stage/usr/bin/holdfast\$" \
  env DESTDIR="$work/stage" "$install" --prefix=/usr
check 'and all of it is there' 0 "$files" tree stage/usr

touch 'a place/bin/other' 'a place/share/zsh/site-functions/_other'
check 'uninstalls' 0 "^removed $work/a place/bin/holdfast\$" "$install" --uninstall --prefix 'a place'
check 'exactly what it installed' 0 '^bin/other 644 share/zsh/site-functions/_other 644$' tree 'a place'
check 'and has nothing to do the second time' 0 '^$' "$install" --uninstall --prefix 'a place'
check 'DESTDIR counts there too' 0 '^removed ' env DESTDIR="$work/stage" "$install" --prefix /usr --uninstall
check 'nothing stays' 0 '^$' tree stage

check 'an unknown argument is an error with the usage' 64 '^hint: usage: scripts/install' "$install" --perfix x
check 'a prefix without a value too' 64 'missing value' "$install" --prefix
check 'help says what it does' 0 'uninstall +removes exactly these' "$install" --help
mkdir -p blocked/bin/holdfast
check 'a folder in the program'\''s place is told before the build' 73 'blocked/bin/holdfast is a folder' \
  "$install" --prefix blocked
touch file
check 'a file in the way too' 73 'file is in the way' "$install" --prefix file
if [[ $(id -u) -eq 0 ]]; then
  mkdir -m 755 closed
  check 'no permission is told before the build, with what to type' 77 'hint: sudo scripts/install, or' \
    setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "$install" --prefix "$work/closed"
fi
mkdir bin
ln -s /usr/bin/* bin/
rm -f bin/swift
check 'without Swift it says where to get it' 69 'https://www.swift.org/install/linux/' \
  env PATH="$work/bin" HOME="$work" "$install" --prefix "$work/none"
check 'and has made nothing' 1 '^$' test -e none
report
