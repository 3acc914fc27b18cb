#!/usr/bin/env bash
# scripts/install into folders of the test's own, with the real release build.
# shellcheck disable=SC2016 # what stands in single quotes is run later, by others
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

documents=''
# Every document, as it stands in docs.
files='^bin/holdfast 755 bin/holdfast-deploy-hook 755 share/bash-completion/completions/holdfast 644 '
for name in README.md $(cd -- "$top/docs" && ls) policies/{development,production,staging}.yaml; do
  documents+="share/doc/holdfast/$name 644"$'\n'
done
files+="$(printf '%s' "$documents" | sort | paste -sd ' ') share/fish/vendor_completions.d/holdfast.fish 644 "
files+='share/man/man1/holdfast.1 644 share/zsh/site-functions/_holdfast 644$'
check 'builds and installs from any folder, below a relative prefix with a blank' 0 \
  "^installed $work/a place/bin/holdfast\$" bash -c "umask 077; '$install' --prefix 'a place'"
check 'everything is there, for everybody, and nothing else' 0 "$files" tree 'a place'
check 'the documents are those of the sources' 0 '^$' diff -r --exclude=README.md --exclude=policies "$top/docs" 'a place/share/doc/holdfast'
check '  and README.md, and the policies' 0 '^$' bash -c \
  "cmp '$top/README.md' 'a place/share/doc/holdfast/README.md' && diff -r '$top/policies' 'a place/share/doc/holdfast/policies'"
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
  mkdir -p theirs/bin
  chown nobody theirs
  check 'root installs into no folder of another user' 77 "root installs into no folder of another user: $work/theirs belongs to nobody" \
    "$install" --prefix theirs
  mkdir -m 777 everybodys
  check '  and none that everybody may write to' 77 "everybody may write to $work/everybodys" "$install" --prefix everybodys

  # Sources of another user's, and a build of theirs that does as they like. The program is bash, so that `holdfast man` runs their file `man`.
  chmod 711 .
  sources=$work/sources
  sources_of() {
    rm -rf -- "$sources" "$work/installed"
    mkdir -p -- "$sources/build" "$work/home/.swiftly/bin"
    cp -R -- "$top/scripts" "$top/docs" "$top/policies" "$top/README.md" "$sources/"
    echo 'echo "man: $(id -u) $HOME $TMPDIR $(id -G)"' >"$sources/man"
    echo 'echo "completions: $(id -un) $1"' >"$sources/completions"
    cat >"$work/home/.swiftly/bin/swift" <<SWIFT
#!/bin/bash
[[ \$(id -u) -ne 0 ]] || echo root >>'$work/home/wrong'
case "\$*" in
  --version) echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)' ;;
  *--show-bin-path) echo '$sources/build' ;;
  *)
    cp -- "$(type -P bash)" '$sources/build/holdfast'
    cd -- '$sources' && { $2
    } ;;
esac
SWIFT
    chmod -R a+rX -- "$work/home" "$sources"
    chmod 755 "$work/home/.swiftly/bin/swift"
    chown -R "$1" "$sources" "$work/home"
  }
  # A PATH without the real Swift; whose home is whose is told by getent.
  mkdir -p programs
  ln -sf /usr/bin/* programs/
  rm -f programs/swift programs/getent
  printf '#!/bin/sh\n[ "$1 $2" != "passwd 65534" ] && [ "$1 $2" != "passwd nobody" ] && exec /usr/bin/getent "$@"\n%s\n' \
    "echo 'nobody:x:65534:$(id -g nobody)::$work/home:/bin/sh'" >programs/getent
  chmod 755 programs programs/getent
  install_theirs() { PATH=$work/programs "$sources/scripts/install" --prefix "$work/installed"; }
  export -f install_theirs
  export sources work

  echo 'root only' >secret
  chmod 600 secret
  cp -R -- "$top/docs" private
  chmod 700 private
  sources_of nobody :
  check 'their sources are built and run by them' 0 "^installed $work/installed/bin/holdfast\$" install_theirs
  check '  with their home and groups, and a temporary folder of their own' 0 \
    "^man: $(id -u nobody) $work/home /tmp/holdfast-install\.[^ /]+/build $(id -G nobody)\$" cat installed/share/man/man1/holdfast.1
  check '  completions too' 0 '^completions: nobody zsh$' cat installed/share/zsh/site-functions/_holdfast
  check '  nothing of it by root' 1 '^$' test -e home/wrong
  check '  and what is installed is root'\''s' 0 '^$' find installed ! -user root
  check '  whole and stripped' 0 '^$' bash -c "strip -o expected '$(type -P bash)' && cmp expected installed/bin/holdfast"
  sources_of 4242 :
  mv -- home/.swiftly/bin/swift programs/swift
  check 'a user without a name is not root either' 0 '^installed ' install_theirs
  check '  and has a home of its own' 0 '^man: 4242 (/tmp/holdfast-install\.[^ /]+/build) \1 4242$' cat installed/share/man/man1/holdfast.1
  check '  nothing of it by root' 1 '^$' test -e home/wrong
  rm programs/swift

  refused() {
    sources_of nobody "$3"
    check "$1" 65 "$2" install_theirs
    check '  and nothing is installed' 1 '^$' test -e installed
  }
  not_built='is not what the build makes'
  refused 'a program that is a link' "$not_built" "ln -sf '$work/secret' build/holdfast"
  refused 'a program with another name' "$not_built" 'ln -f build/holdfast other'
  refused 'a program that is a pipe' "$not_built" 'rm build/holdfast; mkfifo build/holdfast'
  refused 'a document that is a link' 'error: docs/roles.md is no file that the owner' "ln -sf '$work/secret' docs/roles.md"
  refused 'a folder of documents that leads elsewhere' 'is no file that the owner' \
    "mv docs d; ln -s '$work/private' docs"
  sources_of nobody 'printf "\033]0;x\007it failed\n"; exit 1'
  check 'what a build that fails says is shown without what a terminal would obey' 1 '^\]0;xit failed$' install_theirs
  sources_of nobody 'echo "touch $work/home/wrong" >>scripts/install'
  check 'what a build writes into the script is not run' 0 '^installed ' install_theirs
  check '  by root' 1 '^$' test -e home/wrong
  sources_of nobody 'ls -l /proc/self/fd >seen; (: >/dev/tty) && echo "opens /dev/tty" >>seen || true'
  # script starts the shell that SHELL names; only bash passes install_theirs on.
  SHELL=$BASH script -qec install_theirs /dev/null </dev/null >/dev/null || true
  check 'their build has no terminal of root'\''s' 1 '^$' grep -E '/dev/(pts|tty)' sources/seen
  check '  and has looked' 0 ' 0 -> /dev/null' cat sources/seen
  sources_of nobody 'echo $$ >started; sleep 60 & echo $! >>started; wait'
  check 'a signal ends their build' 143 '^Building' timeout --preserve-status --foreground -s TERM 5 \
    env PATH="$work/programs" "$sources/scripts/install" --prefix "$work/installed"
  # A process that has ended stays in /proc until its parent has looked.
  lives() { [[ -e /proc/$1 && $(ps -o stat= -p "$1") != Z* ]]; }
  gone() {
    local pid tries
    for ((tries = 0; tries < 100; tries++)); do
      for pid in $(<sources/started); do
        if lives "$pid"; then
          sleep 0.1
          continue 2
        fi
      done
      tr '\n' ' ' <sources/started
      return
    done
    return 1
  }
  check '  with all that it has started' 0 '^[0-9]+ [0-9]+ *$' gone
fi
mkdir bin
ln -s /usr/bin/* bin/
rm -f bin/swift
check 'without Swift it says where to get it' 69 'https://www.swift.org/install/linux/' \
  env PATH="$work/bin" HOME="$work" "$install" --prefix "$work/none"
check 'and has made nothing' 1 '^$' test -e none
report
