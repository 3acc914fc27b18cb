# shellcheck shell=bash
# The program as it is installed: released, with Swift's runtime in it. Source it.

# build_release LOG RUNNER...: RUNNER (attended, as_owner) starts the build. What the compiler says stands in LOG and is shown only when it
# fails: the linker warns of Foundation's own mktemp. Everybody builds by this, as other options would build all of it again.
build_release() {
  local log=$1
  shift
  "$@" swift build -c release --static-swift-stdlib --product holdfast --quiet >"$log" 2>&1 || {
    printable <"$log" >&2
    return 1
  }
}

# Without what a terminal would obey.
printable() { tr -d '\000-\010\013-\037\177'; }
