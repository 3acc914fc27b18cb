#!/usr/bin/env bash
# docs/roles.md, "Many tenants on one server": each sample gives what it promises and nothing of another tenant's, and lacks something
# without any of its lines. The samples of one tenant are tested with Holdfast itself (DocumentedRolesTests).
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
export PGOPTIONS="-c client_min_messages=warning"

sql() { PGDATABASE=$1 PGUSER=${3:-postgres} psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$2"; }

# The sample of that number in the section, one statement a line.
sample() {
  awk -v wanted="$1" '/^## /{inside = /^## Many tenants/; next} !inside{next} /^```sql$/{n++; code = 1; next} /^```$/{code = 0}
    code && n == wanted && !/^--/' "$top/docs/roles.md"
}

# Two tenants, whose databases were closed as the guide says.
make_server() {
  psql -X -q -v ON_ERROR_STOP=1 -d postgres <<'SQL'
CREATE ROLE shop_owner LOGIN;
CREATE ROLE shop_app LOGIN;
CREATE ROLE other_app LOGIN PASSWORD 'secret';
CREATE DATABASE shop;
CREATE DATABASE other OWNER other_app;
REVOKE CONNECT ON DATABASE other FROM PUBLIC;
\connect other
CREATE TABLE theirs AS SELECT 1 AS a;
\connect shop
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO shop_owner;
CREATE SCHEMA sales AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TABLE public._prisma_migrations (id text);
CREATE TABLE sales.orders AS SELECT generate_series(1, 9) AS id;
CREATE SEQUENCE sales.numbers;
CREATE TABLE sales.guarded AS SELECT 1 AS a;
ALTER TABLE sales.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SQL
}
drop_server() {
  local name
  for name in shop shop__before other mine copied; do dropdb --force --if-exists "$name"; done
  sql postgres 'GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC'
  for name in $(sql postgres "SELECT rolname FROM pg_roles WHERE rolname ~ '^(shop|other)_'"); do
    sql postgres "DROP OWNED BY $name; DROP ROLE $name"
  done
}

# given NUMBER [LINE]: runs the sample, without that line of it.
given() {
  local line
  while IFS= read -r line; do sql shop "$line" || return; done <<<"$(sample "$1" | awk -v without="${2:-0}" 'NR != without')"
}

# with_session USER DATABASE COMMAND...: the command, while such a session is open. Status 1 when it is not ended by it.
with_session() {
  local user=$1 database=$2 session i status=0
  shift 2
  PGUSER=$user psql -XAtqd "$database" -c 'SELECT pg_sleep(60)' >/dev/null 2>&1 &
  session=$!
  for ((i = 0; i < 200; i++)); do
    [[ $(sql postgres "SELECT count(*) FROM pg_stat_activity WHERE usename = '$user' AND query ~ 'sleep'") != 1 ]] || break
    sleep 0.05
  done
  "$@" || status=$?
  [[ $status -ne 0 || $(sql postgres "SELECT count(*) FROM pg_stat_activity WHERE usename = '$user'") == 0 ]] || status=1
  end_sessions postgres postgres "$user" >/dev/null
  wait "$session" || true
  return "$status"
}
end_sessions() { sql "$2" "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '$3'" "$1"; }

# What the other tenant has, to the role of that name, from that database.
nothing_of_others() {
  local database
  for database in other template1; do ! sql "$database" 'SELECT 1' "$1" || return; done
  ! sql "$2" 'SELECT rolpassword FROM pg_authid' "$1" && ! with_session other_app other end_sessions "$1" "$2" other_app
}

# What each sample promises: status 0 when all of it is so.
closed() {
  local name
  sql shop 'SELECT 1' shop_app && sql shop 'CREATE SCHEMA more' shop_owner || return
  for name in postgres template1 shop; do ! sql "$name" 'SELECT 1' other_app || return; done
}
# Also what a role has made since.
backs_up() {
  sql shop 'CREATE SCHEMA later; CREATE TABLE later.t AS SELECT 1 AS a; CREATE SEQUENCE later.s' "$1" || return
  PGUSER=shop_backup pg_dump -Fc -f "$work/dump" shop || return
  [[ $(pg_restore -f - "$work/dump" | grep -cE '^[0-9]+$') -eq 11 ]] || return
  ! sql shop 'DELETE FROM sales.orders' shop_backup && nothing_of_others shop_backup shop
}
# What a rollback does in the server, from the database postgres.
exchange() {
  end_sessions "$1" postgres shop_app && sql postgres 'CREATE DATABASE mine TEMPLATE template0' "$1" &&
    sql postgres 'ALTER DATABASE mine OWNER TO shop_owner' "$1" && sql postgres 'ALTER DATABASE shop RENAME TO shop__before' "$1" &&
    sql postgres 'ALTER DATABASE mine RENAME TO shop' "$1"
}
deploys() { backs_up "$1" && goes_back "$1"; }
goes_back() { with_session shop_app shop exchange "$1" && nothing_of_others "$1" postgres; }

# kept NUMBER BEFORE PROMISE...: the sample keeps its promise, and does not without any of its lines; those BEFORE it were run as they stand.
kept() {
  local number=$1 before line count
  local -a earlier=()
  read -ra earlier <<<"$2"
  shift 2
  count=$(sample "$number" | wc -l)
  for ((line = 0; line <= count; line++)); do
    drop_server && make_server
    for before in "${earlier[@]}"; do given "$before"; done
    check "sample $number: $*, without line $line" "$((line != 0))" '^$' promise "$number" "$line" "$@"
  done
}
promise() {
  { given "$1" "$2" && "${@:3}"; } >"$work/said" 2>&1 || {
    [[ $2 -ne 0 ]] || cat -- "$work/said"
    return 1
  }
}
check 'there are six samples' 0 '^6$' bash -c "sed -n '/^## Many/,\$p' '$top/docs/roles.md' | grep -c '^.\`\`sql'"
drop_server 2>/dev/null
kept 1 '' closed
kept 3 '1' backs_up shop_owner
kept 4 '1 3' goes_back shop_owner
kept 5 '1 3' deploys shop_deploy

# The list of databases that are open, and that of templates.
drop_server && make_server
check 'open databases are listed' 0 '^postgres shop template1 $' bash -c "$(declare -f sql); sql shop \"$(sample 2)\" | sort | tr '\n' ' '"
given 1
check '  and no other' 0 '^$' sql shop "$(sample 2)"
check 'no template but the server'\''s own' 0 '^$' sql shop "$(sample 6)"
sql postgres 'ALTER DATABASE other IS_TEMPLATE true'
check 'a tenant'\''s is listed' 0 '^other$' sql shop "$(sample 6)"

# What the table says of the rights of one tenant.
sql shop 'CREATE ROLE shop_reader LOGIN; GRANT CONNECT ON DATABASE shop TO shop_reader; GRANT pg_read_all_data TO shop_reader'
check 'pg_read_all_data reads the password hashes of the server' 0 '^SCRAM-SHA-256' \
  sql shop "SELECT rolpassword FROM pg_authid WHERE rolname = 'other_app'" shop_reader
sql shop 'GRANT pg_signal_backend TO shop_app'
check 'pg_signal_backend ends sessions of others' 0 '^t$' with_session other_app other end_sessions shop_app shop other_app
sql shop 'ALTER ROLE shop_owner CREATEDB'
check 'CREATEDB copies a template of another'\''s' 0 '^$' sql shop 'CREATE DATABASE copied TEMPLATE other' shop_owner
check '  with all that is in it' 0 '^1$' sql copied 'SELECT count(*) FROM theirs'
sql shop 'ALTER ROLE shop_app BYPASSRLS'
check 'BYPASSRLS reads nothing that the role may not read' 1 'permission denied' sql shop 'SELECT FROM sales.guarded' shop_app
sql shop 'GRANT shop_app TO shop_owner'
check 'a role is no member of its member' 1 'is a member of role' sql shop 'GRANT shop_owner TO shop_app'
report
