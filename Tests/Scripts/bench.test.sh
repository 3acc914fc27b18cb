#!/usr/bin/env bash
# What the benchmarks measure: databases of the size, the tables and the rows that generate and generate-tables promise.
# shellcheck disable=SC2317 # check runs the functions
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../scripts/lib/cluster.sh
. "$top/scripts/lib/cluster.sh"
# shellcheck source=checks.sh
. "$top/Tests/Scripts/checks.sh"
cleanup_at_exit
work=''
scratch_folder work
cluster_start "$work/cluster"
bench=$top/scripts/bench
# By PGDATABASE, as one of the names has a = in it.
value() { PGDATABASE=$1 psql -XAt -F ' ' -c "$2"; }
databases() { value postgres "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname !~ '^(template|postgres)'"; }

first='a "library" = 1'
check 'a database is made' 0 '^$' "$bench/generate" "$first" 20
check '  of about the size' 0 '^(1[7-9]|2[0-2])$' value "$first" 'SELECT pg_database_size(current_database()) / 1048576'
check '  with its tables' 0 '^38$' value "$first" "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text IN ('catalog', 'lending', 'log')"
check '  and nothing of how they were made' 0 '^catalog lending log public$' value "$first" \
  "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema'"
analyzed="SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('catalog', 'lending', 'log')"
check '  none empty' 0 '^0$' value "$first" "$analyzed AND reltuples < 1"
check '  one of them large' 0 '^log.activity$' value "$first" \
  "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' ORDER BY pg_table_size(oid) DESC LIMIT 1"
check '  partitions, foreign keys, a view, a materialized view, a trigger' 0 '^5 31 1 1 1$' value "$first" "SELECT concat_ws(' ',
  (SELECT count(*) FROM pg_inherits WHERE inhparent = 'lending.loans'::regclass),
  (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0),
  (SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'lending'::regnamespace),
  (SELECT count(*) FROM pg_class WHERE relkind = 'm'), (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal))"
check '  large objects that its rows name' 0 '^t$' value "$first" \
  'SELECT count(*) > 2 AND count(*) = (SELECT count(*) FROM catalog.scans) FROM pg_largeobject_metadata m JOIN catalog.scans ON content = m.oid'
check '  some nulls' 0 '^t$' value "$first" 'SELECT count(*) > count(member) AND count(member) > count(*) / 2 FROM log.activity'
value "$first" 'SELECT summary FROM catalog.titles' >"$work/prose"
packed=$(gzip <"$work/prose" | wc -c)
check '  prose that compresses as prose does' 0 '^(2[5-9]|3[0-5])$' echo "$(($(wc -c <"$work/prose") * 10 / packed))"

"$bench/generate" again 20
"$bench/generate" other 20 2
check 'the same seed makes the same' 0 '^$' "$top/scripts/lib/compare-databases" "$first" again
check 'another seed makes other rows' 1 '^table "log.activity": ' "$top/scripts/lib/compare-databases" again other

check 'many tables' 0 '^$' "$bench/generate-tables" many 260
check '  as many as were asked for' 0 '^260$' value many "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^item_'"
check '  with primary keys, in four schemas' 0 '^260 4$' value many \
  "SELECT count(*), count(DISTINCT connamespace) FROM pg_constraint WHERE contype = 'p' AND connamespace::regnamespace::text ~ '^part_'"
check '  every tenth empty, ten rows in the others' 0 '^0:26 10:234$' value many \
  "SELECT string_agg(n || ':' || c, ' ' ORDER BY n) FROM (SELECT reltuples::int n, count(*) c FROM pg_class WHERE relname ~ '^item_[0-9]+\$' GROUP BY 1) t"

before=$(databases)
check 'a database that is there is left alone' 1 'already exists' "$bench/generate" many 20
check '  by both' 1 'already exists' "$bench/generate-tables" many 20
check 'a wrong call' 64 '^usage: scripts/bench/generate DATABASE' "$bench/generate" many
check 'too few locks are said at once' 78 '^error: the server has too few locks' "$bench/many-tables" 1000000
check 'a signal leaves no database' 143 '^(Terminated)?' timeout --preserve-status --foreground -s TERM 0.7 "$bench/generate" third 200
check '  nor any other' 0 "^$before\$" databases
report
