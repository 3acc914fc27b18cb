-- What is in a database, one fact a line: a name, a tab, a value. For psql -X -q -A -t -F TAB; the variable `scope` is
-- `all`, or `content` to leave out what belongs to the database itself.
-- The session's settings decide how values are printed, and a database may bring its own: so all of them are set here.
SET ROLE NONE;
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
SET search_path = pg_catalog;
SET standard_conforming_strings = on;
SET datestyle = 'ISO, YMD';
SET intervalstyle = postgres;
SET timezone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = hex;
SET xmloption = content;
SET lc_monetary = 'C';
SET quote_all_identifiers = off;
SET row_security = off;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT :'scope' = 'all' AS properties_too \gset

-- A fact is a line, so whatever could break the line is printed as JSON.

\if :properties_too
SELECT 'database: ' || property.key, property.value
FROM pg_database AS d
JOIN pg_tablespace AS s ON s.oid = d.dattablespace
CROSS JOIN LATERAL jsonb_each(jsonb_build_object(
  'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate,
  'ctype', d.datctype, 'locale provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
  'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
  'ICU rules', to_jsonb(d) -> 'daticurules', 'connection limit', d.datconnlimit, 'template', d.datistemplate,
  'connections allowed', d.datallowconn, 'tablespace', s.spcname,
  'comment', shobj_description(d.oid, 'pg_database'))) AS property
WHERE d.datname = current_database();

SELECT
  format('database: privilege %s of %s, by %s', a.privilege_type,
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE to_json(pg_get_userbyid(a.grantee))::text END,
    to_json(pg_get_userbyid(a.grantor))),
  CASE WHEN a.is_grantable THEN 'with grant option' ELSE 'granted' END
FROM pg_database AS d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
WHERE d.datname = current_database();

SELECT
  format('database: setting %s%s', to_json(split_part(c.setting, '=', 1)),
    CASE s.setrole WHEN 0 THEN '' ELSE format(' of role %s', to_json(pg_get_userbyid(s.setrole))) END),
  to_json(substr(c.setting, strpos(c.setting, '=') + 1))
FROM pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database());
\endif

SELECT format('extension %s', to_json(e.extname)),
  json_build_object('version', e.extversion, 'schema', n.nspname, 'owner', pg_get_userbyid(e.extowner))
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace;

SELECT format('policy %s on %s: roles', to_json(p.polname), to_json(p.polrelid::regclass::text)),
  (SELECT json_agg(r.name ORDER BY r.name COLLATE "C")
    FROM (SELECT CASE role WHEN 0 THEN '' ELSE pg_get_userbyid(role)::text END
      FROM unnest(p.polroles) AS role) AS r (name))
FROM pg_policy AS p;

SELECT format('relation %s: storage', to_json(c.oid::regclass::text)),
  json_build_object('access method', a.amname, 'tablespace', s.spcname)
FROM pg_class AS c
LEFT JOIN pg_am AS a ON a.oid = c.relam
LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace
WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND c.relpersistence <> 't'
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace);

SELECT format('materialized view %s: filled', to_json(c.oid::regclass::text)), c.relispopulated
FROM pg_class AS c WHERE c.relkind = 'm';

SELECT format('SELECT %L, json_build_object(''last_value'', last_value, ''is_called'', is_called) FROM %s',
  format('sequence %s', to_json(c.oid::regclass::text)), c.oid::regclass)
FROM pg_class AS c
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
\gexec

-- Rows: a multiset, so an md5 of the sorted md5s of all rows, each with its columns in the order of their names. pg_dump
-- loads a partition of a hash of enums through its root, as the hash is another one after a restore: there the
-- partitioned table is compared, and not its partitions.
WITH unsafe AS (
  SELECT p.partrelid AS oid
  FROM pg_partitioned_table AS p
  WHERE p.partstrat = 'h'
    AND EXISTS (
      SELECT FROM unnest(p.partclass) AS used JOIN pg_opclass AS o ON o.oid = used WHERE o.opcname = 'enum_ops')
), compared AS (
  SELECT c.oid, c.relkind
  FROM pg_class AS c
  WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated OR c.oid IN (SELECT oid FROM unsafe))
    AND c.relpersistence <> 't'
    AND c.relnamespace NOT IN (
      'pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
    AND NOT EXISTS (
      SELECT FROM unsafe CROSS JOIN LATERAL pg_partition_tree(unsafe.oid) AS part
      WHERE part.relid = c.oid AND unsafe.oid <> c.oid)
)
SELECT format(
  'SELECT %L, count(*) || '' rows, md5 '' || md5(coalesce(string_agg(row_md5, '''' ORDER BY row_md5 COLLATE "C"), ''''))
   FROM (SELECT md5(ROW (%s)::text) AS row_md5 FROM %s %s AS t) AS r',
  format('table %s', to_json(c.oid::regclass::text)),
  (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname COLLATE "C")
    FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  CASE c.relkind WHEN 'r' THEN 'ONLY' ELSE '' END, c.oid::regclass)
FROM compared AS c
\gexec

-- Large objects: megabyte by megabyte, as lo_get reads holes as zeros, which is what they are after a restore.
SELECT format('large object %s', l.oid),
  json_build_object('bytes', s.bytes, 'md5', (
      SELECT md5(coalesce(string_agg(md5(lo_get(l.oid, piece, 1048576)), '' ORDER BY piece), ''))
      FROM generate_series(0, s.bytes - 1, 1048576) AS piece),
    'owner', pg_get_userbyid(l.lomowner), 'comment', obj_description(l.oid, 'pg_largeobject'))
FROM pg_largeobject_metadata AS l
CROSS JOIN LATERAL (
  SELECT coalesce(max(p.pageno::bigint * (current_setting('block_size')::int / 4) + length(p.data)), 0) AS bytes
  FROM pg_largeobject AS p WHERE p.loid = l.oid) AS s;

SELECT
  format('large object %s: privilege %s of %s, by %s', l.oid, a.privilege_type,
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE to_json(pg_get_userbyid(a.grantee))::text END,
    to_json(pg_get_userbyid(a.grantor))),
  CASE WHEN a.is_grantable THEN 'with grant option' ELSE 'granted' END
FROM pg_largeobject_metadata AS l CROSS JOIN LATERAL aclexplode(coalesce(l.lomacl, acldefault('L', l.lomowner))) AS a;
COMMIT;
