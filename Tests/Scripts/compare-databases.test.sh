#!/usr/bin/env bash
# Loads Tests/Fixtures/hostile.sql, restores its dump into a second cluster, and compares: first there must be no
# difference, then exactly those that are planted.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../scripts/lib/cluster.sh
. "$top/scripts/lib/cluster.sh"
# shellcheck source=checks.sh
. "$top/Tests/Scripts/checks.sh"
cleanup_at_exit
work=''
scratch_folder work

name=$'hostile "db" \\ \'x\nnew = line'
sql() { PGDATABASE=$name psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
compare() { PGHOST=$first PGHOST2=$second "$top/scripts/lib/compare-databases" "$@"; }

# The hash of an enum's value in other partitions after a restore: pg_dump 14 and 15 load such a table through its root
# only from their later minor releases on, all that are tested here.
cluster_start "$work/first"
first=$PGHOST
psql -X -q -d postgres -v ON_ERROR_STOP=1 -v "name=$name" <<<'CREATE DATABASE :"name" TEMPLATE template0'
sql -v enum_hash=1 -f "$top/Tests/Fixtures/hostile.sql"
check 'hostile.sql stops in a database that is not empty' 3 'ERROR:  schema "ext" already exists' \
  env PGDATABASE="$name" psql -X -f "$top/Tests/Fixtures/hostile.sql"
PGDATABASE=$name pg_dump -Fd -j2 -f "$work/dump"
cluster_start "$work/second"
second=$PGHOST
psql -X -q -d postgres -c 'CREATE ROLE app_ro LOGIN; CREATE ROLE app_rw LOGIN; CREATE ROLE app_owner'
pg_restore -C -d postgres --exit-on-error "$work/dump" 2>"$work/restore.log" || {
  cat -- "$work/restore.log" >&2
  exit 1
}
check 'a restored database is equal' 0 '^$' compare "$name" "$name"

# plant PATTERN SQL: changes the second database; a line of the answer has to begin so.
patterns=()
plant() {
  sql -c "$2" >/dev/null
  patterns+=("$1")
}
also() { patterns+=("$1"); }

plant 'table "data.plain_rows": 10000 rows, .* \| 10000 rows,' \
  "UPDATE data.plain_rows SET t = t || ' ' WHERE id = 4711"
plant 'table ".*new.nline.*": 2 rows, .* \| 1 rows,' $'DELETE FROM "new\nline"."\n" WHERE ctid = \'(0,2)\''
plant 'table "kinds.zero_columns": 3 rows, .* \| 2 rows,' "DELETE FROM kinds.zero_columns WHERE ctid = '(0,2)'"
plant 'table "data.numbers": 10 rows, .* \| 10 rows,' "UPDATE data.numbers SET f8 = 0 WHERE n = 0 AND i2 IS NULL"
plant 'table "data.two_texts": 49 rows, .* \| 49 rows,' "UPDATE data.two_texts SET b = NULL WHERE a = 'x' AND b = ''"
plant 'table "data.one_text": 42 rows, .* \| 41 rows,' \
  "DELETE FROM data.one_text WHERE ctid = (SELECT max(ctid) FROM data.one_text WHERE t = 'same')"
plant 'table "data.moments": ' "UPDATE data.moments SET i = '30 days' WHERE d = '0001-01-01'"
plant 'table "data.long_lines": ' "UPDATE data.long_lines SET t = left(t, -1) || 'x' WHERE id = 1"
plant 'table "kinds.by_mood": 35 rows, .* \| 35 rows,' "UPDATE kinds.by_mood SET n = 6 WHERE m = 'sad' AND n = 5"
plant 'materialized view "code.keyed": filled: t \| f' 'REFRESH MATERIALIZED VIEW code.keyed WITH NO DATA'
also 'table "code.keyed": only in the first: 20 rows'

plant 'sequence "kinds.downward": .*-5.*\|.*-8' "SELECT nextval('kinds.downward')"
plant 'sequence "kinds.never_called": .*false.*\|.*true' "SELECT setval('kinds.never_called', 42, true)"

plant 'large object 910003: .*"bytes" : 5242880, .*\|.*"bytes" : 5242880,' "SELECT lo_put(910003, 5242879, '\\x41')"
plant 'large object 910002: .*"bytes" : 1,.*\|.*"bytes" : 2,' "SELECT lo_put(910002, 1, '\\x00')"
plant 'large object 910004: .*app_ro' 'ALTER LARGE OBJECT 910004 OWNER TO app_ro'
also 'large object 910004: privilege (SELECT|UPDATE) of "(postgres|app_ro)", by .*: only in the (first|second)'
plant 'large object 910001: .*new' "COMMENT ON LARGE OBJECT 910001 IS 'new'"
plant 'large object 910006: privilege SELECT of PUBLIC, by "postgres": only in the first' \
  'REVOKE SELECT ON LARGE OBJECT 910006 FROM PUBLIC'
plant 'large object 4000000001: only in the first' 'SELECT lo_unlink(4000000001)'
also 'large object 4000000001: privilege .*: only in the first'

plant 'schema: INDEX kinds.measurements_value: only in the first' 'DROP INDEX kinds.measurements_value'
also 'schema: (COMMENT|INDEX|INDEX ATTACH) kinds.*measurements_.*value.*: only in the first'
also 'relation "kinds.measurements_.*value.*": storage: only in the first'
plant 'schema: ACL kinds.TABLE eggs: ' 'GRANT DELETE ON kinds.eggs TO app_ro'
plant 'schema: ACL code.COLUMN triggered.n: ' 'REVOKE UPDATE (n) ON code.triggered FROM app_ro'
plant "schema: TABLE kinds.varchar_in: .*'b'.* \\| .*'b'.*'c'" \
  "ALTER TABLE kinds.varchar_in DROP CONSTRAINT varchar_in_s_check,
    ADD CONSTRAINT varchar_in_s_check CHECK (s IN ('a', 'b', 'c'))"
also 'schema: COMMENT kinds.CONSTRAINT varchar_in_s_check ON varchar_in: only in the first'
plant 'schema: TABLE kinds.ducks: ' "ALTER TABLE kinds.ducks ALTER name SET DEFAULT 'drake'"
plant 'schema: FUNCTION code.with_carriage_returns' \
  "CREATE OR REPLACE FUNCTION code.with_carriage_returns() RETURNS int LANGUAGE sql AS E'SELECT 1\\n+ 1\\r\\n'"
plant 'schema: FUNCTION kinds.shout\(text\): .*app_rw' 'ALTER FUNCTION kinds.shout(text) OWNER TO app_rw'
also 'schema: COMMENT kinds.FUNCTION shout'
plant 'schema: COMMENT kinds.TABLE eggs: ' "COMMENT ON TABLE kinds.eggs IS E'other\n\n\nblank lines'"
plant 'schema: TRIGGER code.triggered switched_off: ' 'ALTER TABLE code.triggered ENABLE TRIGGER switched_off'
plant 'schema: DEFAULT ACL data.* only in the first' \
  'ALTER DEFAULT PRIVILEGES FOR ROLE app_rw IN SCHEMA data REVOKE ALL ON TYPES FROM PUBLIC'
plant 'policy "own .*roles: .*app_ro.* \| ' 'ALTER POLICY "own ""rows""" ON code.secrets TO app_rw'
also 'schema: POLICY code.secrets own "rows": '
plant 'extension "hstore": .*"0.1"' "UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'hstore'"
plant 'relation "kinds.one_row": storage: .*heap.*heap_again' \
  "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap_again') WHERE oid = 'kinds.one_row'::regclass"

quoted="\"${name//\"/\"\"}\""
plant 'database: comment: .*\| "changed"' "COMMENT ON DATABASE $quoted IS 'changed'"
plant 'database: setting "DateStyle": "SQL, DMY" \| "ISO, MDY"' "ALTER DATABASE $quoted SET datestyle = 'ISO, MDY'"
plant 'database: setting "work_mem" of role "app_rw": only in the first' \
  "ALTER ROLE app_rw IN DATABASE $quoted RESET work_mem"
plant 'database: connection limit: 50 \| 51' "ALTER DATABASE $quoted CONNECTION LIMIT 51"
plant 'database: privilege CREATE of "app_ro", by "app_owner": only in the first' \
  "REVOKE CREATE ON DATABASE $quoted FROM app_ro"

compare "$name" "$name" >"$work/answer" && status=0 || status=$?
check 'planted differences end with status 1' 0 '^1$' printf '%s\n' "$status"
for pattern in "${patterns[@]}"; do
  check "sees  $pattern" 0 "^$pattern" cat "$work/answer"
done
printf '^%s\n' "${patterns[@]}" >"$work/patterns"
check 'names nothing that was not planted' 1 '^$' grep -avE -f "$work/patterns" "$work/answer"
check 'with --content-only the database itself does not count' 0 '^0$' \
  bash -c "$(declare -f compare); first='$first' second='$second' top='$top'
    compare --content-only \"\$1\" \"\$1\" | grep -c '^database: ' || true" - "$name"
check 'each database equals itself' 0 '^$' env PGHOST="$second" "$top/scripts/lib/compare-databases" "$name" "$name"
check 'a database that is not there is no answer' 69 'error: database nowhere cannot be read' compare "$name" nowhere
check 'one name is a wrong call' 64 'usage: ' compare "$name"

# What the quickstart loads, restored beside itself.
PGHOST=$second
createdb shop
psql -X -q -v ON_ERROR_STOP=1 -d shop -f "$top/scripts/lib/sample-database.sql"
createdb -T template0 'shop copy'
pg_dump -Fc -Z0 shop | pg_restore -d 'shop copy' --exit-on-error
check 'the sample database survives a restore' 0 '^$' \
  "$top/scripts/lib/compare-databases" --content-only shop 'shop copy'
check 'what a restore under a new name loses is seen' 1 '^database: owner: "shop_owner" \| "postgres"' \
  "$top/scripts/lib/compare-databases" shop 'shop copy'

check 'it left nothing in the temporary folder' 1 '^$' compgen -G "${TMPDIR:-/tmp}/holdfast-compare.*"
report
