#!/usr/bin/env bash
# Every script that people type says what it does when it is asked, and does nothing else.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
for script in scripts/test scripts/quickstart scripts/install; do
  text=$("$script" --help </dev/null)
  [[ $(wc -l <<<"$text") -ge 2 ]] || { printf '%s --help says: %s\n' "$script" "$text" >&2; exit 1; }
done
printf 'help: every script tells what it does\n'
