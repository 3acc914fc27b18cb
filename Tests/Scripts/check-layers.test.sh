#!/usr/bin/env bash
# scripts/check-layers on a small package, in order first, then with one thing wrong at a time.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../scripts/lib/cluster.sh
. "$top/scripts/lib/cluster.sh"
# shellcheck source=checks.sh
. "$top/Tests/Scripts/checks.sh"
cleanup_at_exit
work=''
scratch_folder work

package="$work/a package"
mkdir -p "$package"/Sources/{Commands,Workflows,Store,Nouns,CThing/include,"My-Name"} "$package/Tests/StoreTests"
cd -- "$package"
write() { printf '%s\n' "${@:2}" >"$1"; }
write Package.swift \
  '// swift-tools-version: 6.0' \
  'import PackageDescription' \
  'func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {' \
  '  .target(name: name, dependencies: dependencies)' \
  '}' \
  'let package = Package(' \
  '  name: "small",' \
  '  targets: [' \
  '    .executableTarget(name: "program", dependencies: ["Commands"], path: "Sources/Program folder"),' \
  '    library(' \
  '      "Commands",' \
  '      [' \
  '        "Workflows",' \
  '        "Nouns",' \
  '      ]),' \
  '    library("Workflows", ["Store", .target(name: "Nouns")]),' \
  '    library("Store", ["Nouns", "CThing", "My-Name"]), library("Nouns", []), library("My-Name", []),' \
  '    .target(name: "CThing"),' \
  '    .testTarget(name: "StoreTests", dependencies: ["Store", "program"]),' \
  '  ]' \
  ')'
mkdir 'Sources/Program folder'
write 'Sources/Program folder/main.swift' 'import Commands'
write Sources/Commands/A.swift 'import Foundation' 'import Workflows; import struct Nouns.Noun'
write Sources/Workflows/A.swift '/* import CThing' '/* */ import CThing */' 'let a = """' 'import CThing' '"""' \
  '// import CThing' 'let b = "/*"' 'import Store' '@preconcurrency package import Nouns'
write Sources/Store/A.swift '#if os(Linux)' '  @_implementationOnly import CThing' '#endif' 'private import Nouns' \
  'import My_Name'
write Sources/Nouns/A.swift 'struct Noun {}'
write Sources/My-Name/A.swift 'struct Name {}'
write Sources/CThing/thing.c 'int thing;'
write Tests/StoreTests/A.swift '@testable import Store'
cp -a "$package" "$work/original"

layers() { "$top/scripts/check-layers" "$package"; }
again() {
  rm -rf -- "$package"
  cp -a "$work/original" "$package"
  cd -- "$package"
}

check 'is content with a package in order' 0 '^layers: 8 targets, 10 arrows, 9 imports between them: in order$' layers
write Sources/Nouns/B.swift '' 'import My_Name'
check 'sees an import that is not declared' 1 \
  '^Sources/Nouns/B.swift:2: Nouns imports My-Name, which Package.swift does not give to it$' layers
again
write Tests/StoreTests/B.swift 'import Nouns'
check 'sees it in a test, too' 1 '^Tests/StoreTests/B.swift:1: StoreTests imports Nouns' layers
again
write Sources/Workflows/B.swift 'internal import CThing'
check 'sees C in an upper target' 1 '^Sources/Workflows/B.swift:1: Workflows imports the C module CThing$' layers
sed -i 's/"Workflows", \["Store"/"Workflows", ["CThing", "Store"/' Package.swift
check 'sees it even when it is declared' 1 '^Sources/Workflows/B.swift:1: Workflows imports the C module CThing$' layers
again
write Sources/Commands/A.swift 'import Workflows'
check 'sees an arrow that nobody uses' 1 '^Package.swift:14: Commands depends on Nouns and never imports it$' layers
again
write Sources/Store/A.swift 'import Nouns' 'import My_Name'
check 'sees a C target that nobody imports' 1 '^Package.swift:17: Store depends on CThing and never imports it$' layers
again
write Sources/Nouns/B.swift 'import Workflows'
check 'sees a circle' 1 '^Sources/Nouns/B.swift:1: a circle: Workflows -> .*Nouns -> Workflows$' layers
again
mkdir Sources/Forgotten
write Sources/Forgotten/A.swift 'let x = 1'
check 'sees a folder that is not built' 1 '^Sources/Forgotten:1: no target' layers
again
rm -r Sources/Workflows
check 'sees a target without a folder' 1 '^Package.swift:16: target Workflows has no folder$' layers
again
sed -i 's/"program"\]/"program", "Elsewhere"]/' Package.swift
check 'sees a dependency from outside' 1 '^Package.swift:19: StoreTests depends on Elsewhere' layers
again
write Package.swift 'this is no Swift'
check 'says when Package.swift cannot be read' 69 '^error: Package.swift cannot be read$' layers

# The checkout itself, and a copy of it with one bad line.
mkdir "$work/copy"
cp -a "$top/Package.swift" "$top/Sources" "$work/copy/"
[[ ! -d $top/Tests ]] || cp -a "$top/Tests" "$work/copy/"
printf 'import Planning\n' >"$work/copy/Sources/Diagnostics/Planted.swift"
check 'sees a bad line in a copy of the checkout' 1 \
  '^Sources/Diagnostics/Planted.swift:1: Diagnostics imports Planning, which Package.swift does not give to it$' \
  "$top/scripts/check-layers" "$work/copy"
rm "$work/copy/Sources/Diagnostics/Planted.swift"
printf 'let planted = TakeBackup.self\n' >"$work/copy/Sources/Workflows/Archives/Planted.swift"
check 'sees a room that uses one above it' 1 \
  "^Sources/Workflows/Archives/Planted.swift:1: Archives uses TakeBackup, which is Backup's, above it$" \
  "$top/scripts/check-layers" "$work/copy"
mv "$work/copy/Sources/Workflows/Archives/Planted.swift" "$work/copy/Sources/Workflows/"
check 'sees a file in no room' 1 '^Sources/Workflows/Planted.swift:1: lies in no folder$' \
  "$top/scripts/check-layers" "$work/copy"
mkdir "$work/copy/Sources/Workflows/Cellar"
mv "$work/copy/Sources/Workflows/Planted.swift" "$work/copy/Sources/Workflows/Cellar/"
check 'sees a room without a place' 1 '^Sources/Workflows/Cellar/Planted.swift:1: the folder Cellar has no place in the order$' \
  "$top/scripts/check-layers" "$work/copy"

check 'it left nothing in the temporary folder' 1 '^$' compgen -G "${TMPDIR:-/tmp}/holdfast-layers.*"
report
