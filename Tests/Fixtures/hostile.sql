-- Everything that a backup tool gets wrong, in one database:
--
--   psql -X -v ON_ERROR_STOP=1 -d EMPTY_DATABASE -f hostile.sql
--
-- For PostgreSQL 14 to 18, as a superuser, in a database of encoding UTF8. What a server cannot do is left out there.
-- The roles app_owner, app_rw and app_ro are made when missing. The same content every time.
-- With -v enum_hash=1 it also has a table whose rows may lie in other partitions after a restore (see section 3).
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = error;
SET synchronous_commit = off;
SET standard_conforming_strings = on;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = postgres;
SET bytea_output = hex;
SET extra_float_digits = 3;
SET search_path = pg_catalog;
SELECT current_database() AS db,
  current_setting('server_version_num')::int >= 150000 AS v15,
  current_setting('server_version_num')::int >= 160000 AS v16,
  current_setting('server_version_num')::int >= 170000 AS v17,
  current_setting('server_version_num')::int >= 180000 AS v18,
  EXISTS (SELECT FROM pg_collation WHERE collname LIKE '%-x-icu') AS has_icu,
  EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto') AS has_pgcrypto
\gset
SELECT format('CREATE ROLE %I %s', name, rights)
FROM (VALUES ('app_owner', 'NOLOGIN'), ('app_rw', 'LOGIN'), ('app_ro', 'LOGIN')) AS wanted (name, rights)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- 1. Extensions, schemas

CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
\if :has_pgcrypto
CREATE EXTENSION pgcrypto SCHEMA ext;
\endif
CREATE SCHEMA kinds AUTHORIZATION app_owner;
CREATE SCHEMA code AUTHORIZATION app_owner;
CREATE SCHEMA data;
CREATE SCHEMA empty;
SET search_path = kinds, ext, pg_catalog;

-- 2. Types, collations, text search, operators, casts

CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "odd"', '\', 'two' , '');
ALTER TYPE mood ADD VALUE 'before ok' BEFORE 'ok';
CREATE TYPE no_values AS ENUM ();
CREATE TYPE pair AS (a int, "b c" text, d mood[]);
CREATE TYPE pair_of_pairs AS (first pair, second pair);
CREATE TYPE empty_composite AS ();
CREATE TYPE shell_only;
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE c_range AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive DEFAULT 7 NOT NULL CONSTRAINT "not too ""big""" CHECK (VALUE < 1000);
CREATE DOMAIN code_text AS varchar(8) COLLATE "C" CHECK (VALUE IN ('a', 'b', E'c\\d', 'e''f'));
CREATE DOMAIN late AS text;
ALTER DOMAIN late ADD CONSTRAINT never_checked CHECK (VALUE <> 'x') NOT VALID;

CREATE FUNCTION number_in(cstring) RETURNS shell_only LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION number_out(shell_only) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE shell_only (INPUT = number_in, OUTPUT = number_out, LIKE = int4);
ALTER TYPE shell_only RENAME TO number;

CREATE COLLATION "a copy of C" FROM "C";
\if :has_icu
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE any_case_texts (t text COLLATE any_case UNIQUE);
INSERT INTO any_case_texts VALUES ('Straße'), ('ÉTÉ'), ('x');
\endif

CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION odd_english (COPY = english);
ALTER TEXT SEARCH CONFIGURATION odd_english ALTER MAPPING FOR asciiword WITH plain_words, english_stem;
ALTER TEXT SEARCH CONFIGURATION odd_english DROP MAPPING FOR url_path;
CREATE CONVERSION latin1_again FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

CREATE FUNCTION pair_add(a pair, b pair) RETURNS pair LANGUAGE sql IMMUTABLE
  AS $$ SELECT ROW (($1).a + ($2).a, ($1)."b c" || ($2)."b c", ($1).d || ($2).d)::kinds.pair $$;
CREATE FUNCTION pair_same(a pair, b pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT ($1).a = ($2).a $$;
CREATE OPERATOR @+~ (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_add, COMMUTATOR = OPERATOR(kinds.@+~));
CREATE OPERATOR ~~~~ (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_same, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE FUNCTION text_to_pair(text) RETURNS pair LANGUAGE sql IMMUTABLE
  AS $$ SELECT ROW (length($1), $1, NULL)::kinds.pair $$;
CREATE CAST (text AS pair) WITH FUNCTION text_to_pair(text) AS ASSIGNMENT;
CREATE CAST (number AS int4) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (mood AS varchar) WITH INOUT;
CREATE OPERATOR FAMILY byte_order USING btree;
CREATE OPERATOR CLASS byte_order_ops FOR TYPE text USING btree FAMILY byte_order AS
  OPERATOR 1 ~<~, OPERATOR 2 ~<=~, OPERATOR 3 =, OPERATOR 4 ~>=~, OPERATOR 5 ~>~,
  FUNCTION 1 bttext_pattern_cmp(text, text);
CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1', PARALLEL = safe);
CREATE AGGREGATE pair_sum(pair) (SFUNC = pair_add, STYPE = pair, INITCOND = '(0,"",{})');
CREATE AGGREGATE own_percentile(float8 ORDER BY float8) (
  SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final);
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;

-- 3. Tables: partitions, inheritance, odd shapes

CREATE TABLE measurements (
  id bigint GENERATED BY DEFAULT AS IDENTITY, region text NOT NULL, taken date NOT NULL, value numeric,
  PRIMARY KEY (id, region, taken)
) PARTITION BY RANGE (taken);
CREATE TABLE measurements_bc PARTITION OF measurements FOR VALUES FROM (MINVALUE) TO ('0001-01-01');
CREATE TABLE measurements_2025 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
  PARTITION BY LIST (region);
CREATE TABLE measurements_2025_north PARTITION OF measurements_2025 FOR VALUES IN ('north', 'n''orth', E'n\north');
CREATE TABLE measurements_2025_rest PARTITION OF measurements_2025 DEFAULT PARTITION BY HASH (id);
CREATE TABLE measurements_2025_rest_0 PARTITION OF measurements_2025_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measurements_2025_rest_1 PARTITION OF measurements_2025_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE measurements_other PARTITION OF measurements DEFAULT WITH (fillfactor = 70);
CREATE TABLE measurements_2026 (
  gone text, value numeric DEFAULT 1.50, taken date NOT NULL, region text NOT NULL, also_gone int, id bigint NOT NULL);
ALTER TABLE measurements_2026 DROP COLUMN gone, DROP COLUMN also_gone;
ALTER TABLE measurements ATTACH PARTITION measurements_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO measurements (region, taken, value)
SELECT (ARRAY['north', 'south', 'n''orth', 'west'])[1 + n % 4], '2024-06-01'::date + n * 7, n * 1.10
FROM generate_series(1, 150) AS n;
INSERT INTO measurements (region, taken, value) VALUES ('rome', '0753-04-21 BC', 'NaN'), ('never', 'infinity', NULL);
CREATE INDEX measurements_value ON measurements (value) WHERE value > 1;
CREATE TABLE by_expression (a text, b int) PARTITION BY RANGE (lower(a), (b % 10));
CREATE TABLE by_expression_1 PARTITION OF by_expression FOR VALUES FROM ('a', MINVALUE) TO ('n', MAXVALUE);
INSERT INTO by_expression SELECT chr(97 + n % 13), n FROM generate_series(1, 40) AS n;
CREATE TABLE only_a_foreign_partition (a int) PARTITION BY LIST (a);
CREATE TABLE without_partitions (a int) PARTITION BY LIST (a);

-- The hash of an enum value comes from its oid, which a restore changes: pg_dump loads such tables through their root.
\if :{?enum_hash}
CREATE TABLE by_mood (m mood, n int) PARTITION BY HASH (m);
SELECT format('CREATE TABLE by_mood_%s PARTITION OF by_mood FOR VALUES WITH (MODULUS 4, REMAINDER %s)', r, r)
FROM generate_series(0, 3) AS r \gexec
INSERT INTO by_mood SELECT m, n FROM unnest(enum_range(NULL::mood)) AS m, generate_series(1, 5) AS n;
\endif

CREATE TABLE animals (id int PRIMARY KEY, name text DEFAULT 'nameless', CONSTRAINT only_here CHECK (id > 0) NO INHERIT);
CREATE TABLE swimmers (depth real, name text DEFAULT 'wet');
CREATE TABLE ducks (wingspan real CHECK (wingspan > 0), name text DEFAULT 'duck') INHERITS (animals, swimmers);
ALTER TABLE animals ADD COLUMN added_later varchar(10) CHECK (added_later IN ('early', 'late', E'b\\s', 'q''q'));
CREATE TABLE geese (extra text, id int NOT NULL, name text, added_later varchar(10));
ALTER TABLE geese ADD CONSTRAINT animals_added_later_check CHECK (added_later IN ('early', 'late', E'b\\s', 'q''q'));
ALTER TABLE geese INHERIT animals;
INSERT INTO animals VALUES (1, 'cow', 'late');
INSERT INTO ducks (id, depth, wingspan, added_later) VALUES (2, 1.5, 0.1, 'early'), (3, 'NaN', 'Infinity', NULL);
INSERT INTO geese VALUES ('honk', -4, NULL, E'b\\s');

CREATE TABLE identities (
  a int GENERATED ALWAYS AS IDENTITY (START -5 INCREMENT -5 MINVALUE -100 MAXVALUE 0 CYCLE), b smallint GENERATED BY DEFAULT AS IDENTITY,
  note text);
INSERT INTO identities (note) SELECT 'row ' || n FROM generate_series(1, 30) AS n;
INSERT INTO identities OVERRIDING SYSTEM VALUE VALUES (12345, 6789, 'by hand');
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) || '!' $$;
CREATE TABLE generated (
  h numeric, w numeric DEFAULT 2, area numeric GENERATED ALWAYS AS (h * w) STORED, t text,
  loud text GENERATED ALWAYS AS (shout(t)) STORED, words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, t)) STORED);
INSERT INTO generated (h, w, t) VALUES (1.10, 3, 'a quiet fox'), (NULL, 1, NULL), ('NaN', 0, '');
CREATE TABLE only_generated (one int GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_generated DEFAULT VALUES;
INSERT INTO only_generated DEFAULT VALUES;
\if :v18
CREATE TABLE virtual (a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL);
INSERT INTO virtual VALUES (21), (NULL);
\endif

CREATE TABLE zero_columns ();
INSERT INTO zero_columns DEFAULT VALUES;
INSERT INTO zero_columns DEFAULT VALUES;
INSERT INTO zero_columns DEFAULT VALUES;
CREATE TABLE zero_columns_and_rows ();
CREATE TABLE all_dropped (a int, b text);
INSERT INTO all_dropped VALUES (1, 'x'), (2, 'y');
ALTER TABLE all_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE some_dropped (a int, b text DEFAULT 'b', c bytea, d int[]);
INSERT INTO some_dropped VALUES (1, 'x', '\x00ff', '{1,NULL}');
ALTER TABLE some_dropped DROP COLUMN b, ADD COLUMN e text DEFAULT 'filled in without a rewrite', DROP COLUMN a;
INSERT INTO some_dropped VALUES (NULL, NULL, NULL);
CREATE TABLE no_rows (id int PRIMARY KEY, t text NOT NULL);
CREATE TABLE one_row (id int PRIMARY KEY);
INSERT INTO one_row VALUES (1);
SELECT format('CREATE TABLE many_columns (%s)', string_agg(format('%I %s DEFAULT %L', 'column ' || n,
  (ARRAY['int', 'text', 'numeric(9,3)', 'boolean'])[1 + n % 4], (ARRAY['1', 'x', '1.5', 'true'])[1 + n % 4]), ', ' ORDER BY n))
FROM generate_series(1, 200) AS n \gexec
INSERT INTO many_columns DEFAULT VALUES;
INSERT INTO many_columns ("column 200", "column 1") VALUES (NULL, '\');
CREATE TABLE typed OF pair (a PRIMARY KEY, "b c" WITH OPTIONS DEFAULT 'typed');
INSERT INTO typed VALUES (1, DEFAULT, '{sad,"it''s \"odd\"","\\",""}');
CREATE TABLE other_method (a int) USING heap_again;
INSERT INTO other_method VALUES (5);
CREATE UNLOGGED TABLE unlogged (k text PRIMARY KEY, v ext.hstore);
INSERT INTO unlogged VALUES ('here after a restore, too', 'a=>1, b=>NULL, "c d"=>"\"\\"');
CREATE TABLE tuned (a text, b text COMPRESSION pglz, c int)
  WITH (fillfactor = 55, autovacuum_enabled = off, toast.autovacuum_vacuum_scale_factor = 0.5, user_catalog_table = true);
ALTER TABLE tuned ALTER c SET STATISTICS 7, ALTER c SET (n_distinct = -0.25), ALTER a SET STORAGE MAIN;
INSERT INTO tuned VALUES ('a', 'b', 3);

-- The text that pg_dump gives to this check is another one after a restore.
CREATE TABLE varchar_in (
  s varchar(9) CHECK (s IN ('a', 'b')), u varchar CHECK (u IN ('it''s', E'back\\slash', '(''x''::character varying)::text')),
  c char(3) CHECK (c IN ('x', 'yy')), n varchar(3)[] DEFAULT ARRAY['p', 'q']::varchar(3)[]);
INSERT INTO varchar_in VALUES ('a', 'it''s', 'x'), ('b', E'back\\slash', 'yy'), (NULL, NULL, NULL);
CREATE INDEX varchar_in_partial ON varchar_in (s) WHERE s IN ('a', 'b');
CREATE VIEW varchar_in_view AS
  SELECT s, CASE WHEN s IN ('a', 'z') THEN 1 ELSE 2 END AS k FROM varchar_in WHERE u NOT IN ('it''s', 'its');

-- 4. Constraints and indexes

CREATE TABLE hens (id int PRIMARY KEY, egg int, name text);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hens ADD CONSTRAINT "hen""s egg" FOREIGN KEY (egg) REFERENCES eggs ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO hens SELECT n, n * 10, 'hen ' || n FROM generate_series(1, 20) AS n;
INSERT INTO eggs SELECT n * 10, n FROM generate_series(1, 20) AS n;
COMMIT;
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON UPDATE CASCADE, UNIQUE (parent, id) DEFERRABLE INITIALLY IMMEDIATE);
INSERT INTO tree SELECT n, nullif(n / 2, 0) FROM generate_series(1, 31) AS n;
CREATE TABLE bookings (
  room int, during tstzrange, note text, EXCLUDE USING gist (during WITH &&) WHERE (room = 1),
  CONSTRAINT "exclude deferred" EXCLUDE USING gist (box(point(room, 0), point(room, 1)) WITH &&) WHERE (note = 'x') DEFERRABLE);
INSERT INTO bookings VALUES (1, '[2025-01-01,2025-02-01)'), (1, '[2025-02-01,)'), (2, 'empty'), (2, '(,)');
CREATE TABLE old_rows (id int, n int, "owner" int);
INSERT INTO old_rows VALUES (1, -1, 999), (2, 5, 1), (NULL, NULL, NULL);
ALTER TABLE old_rows ADD CONSTRAINT only_new_ones CHECK (n > 0) NOT VALID,
  ADD CONSTRAINT only_new_owners FOREIGN KEY ("owner") REFERENCES hens MATCH FULL NOT VALID;
\if :v15
CREATE TABLE null_is_equal (a int, b int, UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO null_is_equal VALUES (1, NULL), (NULL, NULL);
\endif
\if :v18
ALTER TABLE old_rows ADD CONSTRAINT id_known NOT NULL id NOT VALID, ADD CONSTRAINT hoped_for CHECK (n < 3) NOT ENFORCED;
\endif
CREATE TABLE indexed (
  id int NOT NULL, t text NOT NULL, j jsonb, at timestamptz NOT NULL, p point, tags text[], PRIMARY KEY (id) INCLUDE (t) WITH (fillfactor = 80));
INSERT INTO indexed
SELECT n, md5(n::text), jsonb_build_object('n', n, 'deep', jsonb_build_array(n, NULL, 'x')), '2025-01-01'::timestamptz + n * interval '1 hour',
  point(n, -n), ARRAY['t' || n % 5, 't' || n % 7] FROM generate_series(1, 500) AS n;
CREATE UNIQUE INDEX indexed_identity ON indexed (t, at);
CREATE INDEX "Odd ""index"" -- name" ON indexed (lower(t) COLLATE "C" DESC NULLS LAST, (id % 7)) WHERE id % 2 = 0 AND t <> E'a\nb';
CREATE INDEX indexed_brin ON indexed USING brin (at timestamptz_minmax_multi_ops, id) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX indexed_gin ON indexed USING gin (j jsonb_path_ops, tags) WITH (fastupdate = off);
CREATE INDEX indexed_trigrams ON indexed USING gist (t gist_trgm_ops (siglen = 32));
CREATE INDEX indexed_gist ON indexed USING gist (p);
CREATE INDEX indexed_spgist ON indexed USING spgist (p);
CREATE INDEX indexed_hash ON indexed USING hash (t);
CREATE INDEX indexed_own_class ON indexed (t byte_order_ops);
CREATE INDEX indexed_statistics ON indexed ((id * 2), at);
ALTER INDEX indexed_statistics ALTER COLUMN 1 SET STATISTICS 321;
ALTER TABLE indexed CLUSTER ON indexed_identity, REPLICA IDENTITY USING INDEX indexed_identity;
ALTER TABLE tree REPLICA IDENTITY FULL;
ALTER TABLE one_row REPLICA IDENTITY NOTHING;
CREATE STATISTICS indexed_kinds (ndistinct, dependencies, mcv) ON id, t, at FROM indexed;
CREATE STATISTICS "Expr ""stat""" ON (id % 10), (lower(t)) FROM indexed;
ALTER STATISTICS indexed_kinds SET STATISTICS 55;

-- 5. Sequences

CREATE SEQUENCE never_called START 42;
CREATE SEQUENCE called_once START 42;
SELECT nextval('called_once') \g /dev/null
CREATE SEQUENCE downward INCREMENT -3 MINVALUE -1000 MAXVALUE 10 START 7;
SELECT nextval('downward') FROM generate_series(1, 5) \g /dev/null
CREATE SEQUENCE round_and_round AS smallint MINVALUE 1 MAXVALUE 3 CYCLE;
SELECT nextval('round_and_round') FROM generate_series(1, 5) \g /dev/null
CREATE SEQUENCE at_its_end AS smallint;
SELECT setval('at_its_end', 32767) \g /dev/null
CREATE SEQUENCE set_but_not_called CACHE 50;
SELECT setval('set_but_not_called', 9000000000000000000, false) \g /dev/null
CREATE SEQUENCE at_the_bottom MINVALUE -9223372036854775808 INCREMENT -1 MAXVALUE -1;
SELECT setval('at_the_bottom', -9223372036854775808, true) \g /dev/null
CREATE SEQUENCE "Sequence ""with"" a
new line";
SELECT setval('"Sequence ""with"" a
new line"', 17) \g /dev/null
CREATE TABLE serials (id serial, other bigserial, borrowed int DEFAULT nextval('called_once'));
ALTER SEQUENCE serials_other_seq RENAME TO renamed_sequence;
INSERT INTO serials DEFAULT VALUES;
INSERT INTO serials DEFAULT VALUES;
SELECT setval('serials_id_seq', 1000000, true) \g /dev/null
\if :v15
CREATE UNLOGGED SEQUENCE unlogged_sequence;
SELECT setval('unlogged_sequence', 5) \g /dev/null
\endif

-- 6. Code. Bodies look like dumps: a reader of dumps must not be led astray.

SET search_path = code, kinds, ext, pg_catalog;
CREATE TABLE journal (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text, n int);
INSERT INTO journal (what, n) VALUES ('start', 0), (E'\\.', 1);
CREATE FUNCTION looks_like_a_dump() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  -- COPY code.journal (id, what) FROM stdin;
  RETURN '
COPY code.journal (id, what, n) FROM stdin;
1	not a row	\N
\.

--
-- Name: journal; Type: TABLE; Schema: code; Owner: nobody
--
\restrict pretend
\connect elsewhere
\unrestrict pretend
-- PostgreSQL database dump complete
' || $$ nested 'quotes' $$ || $_$ and $1 $_$;
END
$body$;
CREATE FUNCTION with_carriage_returns() RETURNS int LANGUAGE sql AS E'SELECT 1\r\n+ 1\r\n';
CREATE FUNCTION standard_body(amount int DEFAULT 3) RETURNS int LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO code.journal (what, n) VALUES (CASE WHEN amount > 0 THEN 'more' ELSE 'less; END' END, amount);
  UPDATE code.journal SET n = CASE WHEN n IS NULL THEN 0 ELSE CASE n WHEN 1 THEN 2 ELSE n END END WHERE id < 0;
  SELECT CASE WHEN count(*) > 5 THEN 5 ELSE count(*) END::int FROM code.journal;
END;
CREATE FUNCTION standard_return(a int, b text DEFAULT ';') RETURNS text LANGUAGE sql IMMUTABLE RETURN a || b;
CREATE PROCEDURE standard_procedure(x int) LANGUAGE sql
BEGIN ATOMIC
  DELETE FROM code.journal WHERE n = x AND id < 0;
  INSERT INTO code.journal (what) VALUES ('begin; end');
END;
CREATE FUNCTION every_option(IN a int, OUT b int, INOUT c text, VARIADIC d int[] DEFAULT '{}') RETURNS record
  LANGUAGE plpgsql STABLE STRICT LEAKPROOF SECURITY DEFINER PARALLEL RESTRICTED COST 7
  SET search_path = pg_catalog, "$user", "odd, schema" SET datestyle = 'SQL, DMY' SET work_mem = '3MB'
  AS $$ BEGIN b := a; END $$;
CREATE FUNCTION empty_path() RETURNS SETOF int LANGUAGE sql ROWS 5 SET search_path = '' AS 'VALUES (1), (2)';
CREATE FUNCTION gives_table(n int) RETURNS TABLE ("a b" int, c text) LANGUAGE sql AS $$ SELECT 1, 'x' $$;
CREATE FUNCTION any_kind(a anyelement, b anyarray) RETURNS anyarray LANGUAGE sql AS $$ SELECT $2 || $1 $$;
CREATE FUNCTION overloaded(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION overloaded(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION overloaded(pair, VARIADIC mood[]) RETURNS int LANGUAGE sql AS 'SELECT 3';
CREATE FUNCTION own_rank() RETURNS bigint LANGUAGE internal WINDOW AS 'window_rank';
CREATE FUNCTION "Function with ""quotes"", $$ and
a new line"(" a" int) RETURNS int LANGUAGE sql AS $$ SELECT $1 $$;
SET check_function_bodies = off;
CREATE FUNCTION refers_to_nothing() RETURNS int LANGUAGE sql AS 'SELECT x FROM code.was_never_there';
RESET check_function_bodies;
CREATE PROCEDURE plain_procedure(INOUT x int) LANGUAGE plpgsql AS $$ BEGIN x := x + 1; COMMIT; END $$;

CREATE VIEW guarded WITH (security_barrier) AS SELECT id, name FROM kinds.hens WHERE id > 3;
\if :v15
CREATE VIEW invoker WITH (security_invoker = true) AS SELECT id FROM kinds.hens;
\endif
CREATE VIEW checked AS SELECT id, name FROM kinds.hens WHERE id > 0 WITH CASCADED CHECK OPTION;
ALTER VIEW checked ALTER name SET DEFAULT 'hen of a view';
CREATE RECURSIVE VIEW descendants (root, id, depth) AS
  SELECT id, id, 0 FROM kinds.tree UNION ALL SELECT d.root, t.id, d.depth + 1 FROM descendants AS d JOIN kinds.tree AS t ON t.parent = d.id;
-- Valid only because id is a primary key, so that pg_dump has to make this view in two steps.
CREATE VIEW grouped_by_key AS SELECT h.id, h.name, count(e.id) AS eggs FROM kinds.hens AS h LEFT JOIN kinds.eggs AS e ON e.hen = h.id GROUP BY h.id;
CREATE VIEW literal_lines AS SELECT '
COPY code.journal FROM stdin;
\.
' AS "text, with ""quotes""", E'\r\t\\' AS "two
lines", $$--$$ AS "--";
CREATE VIEW no_columns AS SELECT;
-- A view and a function that need each other.
CREATE VIEW ring AS SELECT 1 AS a;
CREATE FUNCTION ring_rows() RETURNS SETOF ring LANGUAGE sql AS 'SELECT 2';
CREATE OR REPLACE VIEW ring AS SELECT a FROM (SELECT 1 AS a) AS one UNION ALL SELECT 3 WHERE EXISTS (SELECT ring_rows());
CREATE MATERIALIZED VIEW filled AS SELECT region, count(*) AS n, sum(value) AS total FROM kinds.measurements GROUP BY region;
CREATE UNIQUE INDEX filled_region ON filled (region);
ALTER MATERIALIZED VIEW filled CLUSTER ON filled_region;
CREATE MATERIALIZED VIEW filled_from_filled AS SELECT max(n) AS most, count(*) AS regions FROM filled;
CREATE MATERIALIZED VIEW aaa_needs_the_later_one AS SELECT most FROM filled_from_filled;
CREATE MATERIALIZED VIEW not_filled AS SELECT 1 / (id - 1) AS fails FROM kinds.one_row WITH NO DATA;
CREATE MATERIALIZED VIEW keyed AS SELECT h.id, h.name, max(e.id) AS last_egg FROM kinds.hens AS h JOIN kinds.eggs AS e ON e.hen = h.id GROUP BY h.id;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO code.journal (what, n) VALUES (TG_NAME || ' ' || TG_OP, TG_NARGS);
  RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'rows must be there before this trigger is'; END $$;
CREATE TABLE triggered (id int PRIMARY KEY, t text, n int);
INSERT INTO triggered VALUES (1, 'one', 1), (2, 'two', NULL);
CREATE TRIGGER "refuses ""all""" BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER on_columns AFTER UPDATE OF t, n ON triggered FOR EACH ROW WHEN (OLD.t IS DISTINCT FROM NEW.t AND NEW.t <> E'\\.')
  EXECUTE FUNCTION note_change('a', E'b\\c''d', '');
CREATE CONSTRAINT TRIGGER at_commit AFTER DELETE ON triggered DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER whole_statement AFTER UPDATE ON triggered REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
  FOR EACH STATEMENT EXECUTE FUNCTION note_change();
CREATE TRIGGER on_truncate BEFORE TRUNCATE ON triggered FOR EACH STATEMENT EXECUTE FUNCTION note_change();
CREATE TRIGGER switched_off BEFORE DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER on_replicas BEFORE DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER always_on BEFORE DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION note_change();
ALTER TABLE triggered DISABLE TRIGGER switched_off, ENABLE REPLICA TRIGGER on_replicas, ENABLE ALWAYS TRIGGER always_on;
CREATE TRIGGER on_partitions AFTER INSERT ON kinds.measurements FOR EACH ROW EXECUTE FUNCTION note_change();
ALTER TABLE kinds.measurements_2026 DISABLE TRIGGER on_partitions;
CREATE TRIGGER instead INSTEAD OF INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE RULE several AS ON UPDATE TO grouped_by_key DO INSTEAD (
  UPDATE kinds.hens SET name = NEW.name WHERE id = OLD.id;
  INSERT INTO code.journal (what, n) VALUES ('rule; with a semicolon', OLD.id);
  DELETE FROM code.journal WHERE id < 0 RETURNING id, NULL::text, 0::bigint);
CREATE RULE also AS ON INSERT TO kinds.hens DO ALSO NOTIFY hens, 'it''s';
CREATE RULE nothing AS ON DELETE TO checked DO INSTEAD NOTHING;
ALTER TABLE kinds.hens DISABLE RULE also;
CREATE FUNCTION watch_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER "Watch ""DDL""" ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION watch_ddl();
CREATE EVENT TRIGGER watch_off ON sql_drop EXECUTE FUNCTION watch_ddl();
ALTER EVENT TRIGGER watch_off DISABLE;

-- 7. Names

-- In a listing these read as entries of another kind.
CREATE SCHEMA "DATA";
CREATE TABLE "DATA".orders AS SELECT a FROM generate_series(1, 5) a;
CREATE MATERIALIZED VIEW "DATA".sums AS SELECT sum(a) AS s FROM "DATA".orders;
CREATE VIEW "DATA".over_sums AS SELECT s + 1 AS t FROM "DATA".sums;
-- Rows of hash partitions over an enum are dumped as their root's, and the next name begins as the root's does.
CREATE TYPE "DATA".mood AS ENUM ('a', 'b', 'c');
CREATE TABLE "DATA".hp (m "DATA".mood) PARTITION BY HASH (m);
CREATE TABLE "DATA".hp0 PARTITION OF "DATA".hp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "DATA".hp1 PARTITION OF "DATA".hp FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE "DATA".g (m "DATA".mood) PARTITION BY HASH (m);
CREATE TABLE "DATA"."hp g" PARTITION OF "DATA".g FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO "DATA".g VALUES ('a'), ('b');
CREATE TABLE "DATA"."hp old" AS SELECT 'a'::text AS a;
INSERT INTO "DATA".hp SELECT m FROM unnest(enum_range(NULL::"DATA".mood)) m, generate_series(1, 10);
-- One name to whoever compares characters, two to PostgreSQL.
CREATE TABLE "DATA".U&"caf\00e9" AS SELECT 'one' AS v FROM generate_series(1, 3);
CREATE TABLE "DATA".U&"cafe\0301" AS SELECT 'two' AS v FROM generate_series(1, 5);
CREATE SCHEMA "ACL";
CREATE TABLE "ACL".given (a int DEFAULT 7, b int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO "ACL".given DEFAULT VALUES;

SELECT format('CREATE SCHEMA %I', s), format('CREATE TABLE %I.%I (%I int PRIMARY KEY, %I text)', s, t, c, d),
  format('INSERT INTO %I.%I VALUES (1, %L), (2, NULL)', s, t, s || t || c || d)
FROM (VALUES
  (' sp ace ', 'ta ble', ' ', 'x '), ('quo"te', '"', '""', '"a"'), ('apo''strophe', '''', '''''', 'it''s'),
  (E'new\nline', E'\n', E'a\nb', E'c\r\nd'), (E'back\\slash', E'\\.', E'\\N', E'\\'), ('ünï', '表', 'Ω≈ç', '🐘'), ('UPPER', 'Mixed', 'ID', 'Id'),
  ('select', 'table', 'from', 'where'), ('COPY x FROM stdin;', 'COPY x (a) FROM stdin;', 'COPY', E'COPY x FROM stdin;\n1\n\\.'),
  ('--', '-- Name: x; Type: TABLE', '/* c', '*/'), ('a.b', 'c.d', '.', 'e.f'), ('$$', '$1', '$body$', '$'), ('%s', '%I', '%', '%%'),
  (':db', ':''db''', ':"db"', ':x'), (E'tab\t', E'\t', E'\t\t', E'a\tb'), ('../../etc', '/tmp/x', '~', '*?[a]'), (';', '; DROP TABLE x', '(', ')'),
  (E'\\restrict', E'\\connect x', E'\\i', E'\\!'), ('{"a"}', ',', '[]', '|'), (E'\u00e9', E'e\u0301', E'\u202e', E'\u200b'),
  (repeat('s', 63), repeat('é', 31) || 't', repeat('c', 63), repeat('表', 21)), ('public ', 'pg catalog', 'oid', 'name'),
  ('t', 't', 't', 'row'), (E'\x01', E'\x7f', E'\x1b[31m', E'\x08')) AS odd (s, t, c, d)
\gexec
CREATE TABLE "quo""te"."refers to ""it""" ("a""b" int CONSTRAINT "c""k" CHECK ("a""b" > 0) REFERENCES "quo""te"."""" ON DELETE CASCADE);
CREATE SEQUENCE "back\slash"."\seq";
CREATE VIEW "new
line"."view
of it" AS SELECT * FROM "new
line"."
";

-- 8. Data

SET search_path = data, kinds, ext, pg_catalog;
CREATE TABLE each_character (n int PRIMARY KEY, alone text, inside text, doubled text);
INSERT INTO each_character SELECT n, chr(n), 'a' || chr(n) || 'z', repeat(chr(n), 2) FROM generate_series(1, 255) AS n;
INSERT INTO each_character SELECT 1000 + n, chr(n), 'a' || chr(n) || 'z', E'\\' || chr(n)
FROM unnest(ARRAY[x'85'::int, x'a0'::int, x'ad'::int, x'2028'::int, x'2029'::int, x'd7ff'::int, x'e000'::int, x'fdd0'::int,
  x'feff'::int, x'fffd'::int, x'ffff'::int, x'10000'::int, x'1f418'::int, x'10ffff'::int]) AS n;
CREATE TABLE one_text (t text);
INSERT INTO one_text SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 255) AS n;
INSERT INTO one_text VALUES (NULL), (''), (' '), ('\N'), (E'\\\\N'), (E'\\.'), (E'\\.\n'), (E'\n\\.\n'), (E'a\\.'), (E'\\.a'), (E'\\'), (E'\\\\'), (E'\n'),
  (E'\r'), (E'\r\n'), (E'\t'), (E'\b\f\v'), ('null'), ('NULL'), ('"'), ('""'), (''''), (E'\\x41'), (E'\\101'), ('a,b'), ('{}'), ('COPY data.one_text (t) FROM stdin;'),
  (E'COPY data.one_text (t) FROM stdin;\nx\n\\.\n\n'), ('--'), (E'--\n-- PostgreSQL database dump complete\n--\n'), (E'--\n-- Name: one_text; Type: TABLE\n--'),
  (E'\\connect x'), (E'\\unrestrict x'), ('SET x = 1;'), (E'trailing space '), (E'é vs e\u0301'), ('🐘👩‍👩‍👧‍👦'), (E'\u202eabc'), ('same'), ('same'), ('same');
CREATE TABLE two_texts (a text, b text);
INSERT INTO two_texts SELECT a, b FROM unnest(ARRAY[NULL, '', E'\t', E'\\', E'\\N', E'\n', 'x']) AS a, unnest(ARRAY[NULL, '', E'\t', E'\\', E'\\N', E'\n', 'x']) AS b;
CREATE TABLE long_lines (id int, t text, b bytea);
INSERT INTO long_lines VALUES
  (1, (SELECT string_agg(md5(n::text), '' ORDER BY n) FROM generate_series(1, 98304) AS n), NULL),
  (2, repeat(E'\\', 70000), decode(repeat('00ff5c0a', 70000), 'hex')), (3, repeat(E'a\n', 70000), ''), (4, '', NULL);
CREATE TABLE numbers (
  f4 real, f8 double precision, n numeric, n2 numeric(12, 4), i2 smallint, i4 int, i8 bigint, m money, b boolean);
INSERT INTO numbers VALUES
  ('NaN', 'NaN', 'NaN', 'NaN', 0, 0, 0, 0, NULL), ('inf', 'inf', 'inf', 0, 32767, 2147483647, 9223372036854775807, '92233720368547758.07', true),
  ('-inf', '-inf', '-inf', -0.0001, -32768, -2147483648, -9223372036854775808, '-92233720368547758.08', false),
  ('-0', '-0', 0, 0, NULL, NULL, NULL, NULL, NULL), ('1e-45', '4.9406564584124654e-324', '1e-1000', 99999999.9999, 1, 1, 1, 0.01, true),
  ('3.4028235e38', '1.7976931348623157e308', ('1' || repeat('0', 131071))::numeric, 1, 1, 1, 1, 1, true), ('1.17549435e-38', '2.2250738585072014e-308', 1.10, 1.1, 1, 1, 1, 1, true),
  (0.1, 0.1::float8 + 0.2::float8, ('1.' || repeat('1234567890', 100))::numeric, 0.1, 1, 1, 1, 1, true), (16777217, 9007199254740993, 1.1000, 1, 1, 1, 1, 1, true), (0.3, 1e23, 1e5, 1, 1, 1, 1, 1, true);
CREATE TABLE moments (d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval);
INSERT INTO moments VALUES
  ('infinity', '24:00:00', '24:00:00-1559', 'infinity', 'infinity', '178000000 years'), ('-infinity', '00:00:00', '00:00:00+1559', '-infinity', '-infinity', '-178000000 years'),
  ('4713-01-01 BC', '00:00:00.000001', '12:00:00.5+05:45', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '1 mon -1 day 00:00:00.000001'),
  ('5874897-12-31', '23:59:59.999999', '01:02:03-00:30', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '30 days'), ('0001-01-01', NULL, NULL, '0001-01-01', '1883-11-18 12:03:57-07:52:58', '1 mon'),
  ('2024-02-29', NULL, NULL, '2016-12-31 23:59:60', '2025-03-30 01:00:00+00', '-1 year +1 mon -04:05:06.7'), ('2025-10-26', NULL, NULL, '2025-10-26 02:30:00', '2025-10-26 00:30:00+00', '24:00:00'), (NULL, NULL, NULL, NULL, '2025-10-26 01:30:00+00', '1 day');
CREATE TABLE documents (j json, jb jsonb, x xml, path jsonpath);
INSERT INTO documents (j, jb, path) VALUES
  (E'{"a":1,  "a":2,\n\t"b\\u0000":"\\u0000", "c":"\\\\."}', E'{"a":1,"a":2,"e":"\\u00e9\\n\\t\\\\","n":1.10,"big":1e400,"":null}', '$."a b"[*] ? (@ > 1)'),
  ('[]', '[]', '$'), ('null', 'null', NULL), ('"\u202e"', '"🐘"', 'strict $[last]'), (NULL, NULL, NULL), (' 1 ', '-0', NULL), (('{"deep":' || repeat('[', 500) || repeat(']', 500) || '}')::json, '{}', NULL);
DO $$ BEGIN
  INSERT INTO data.documents (x) VALUES (E'<?xml version="1.0"?>\n<a b="c">\\.<![CDATA[\n]]>é</a>'), ('text only'), ('<a/><b/>'), ('');
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
CREATE TABLE arrays (i int[], t text[], tt text[][], m mood[], p pair[], d small_positive[], ts timestamptz[]);
INSERT INTO arrays VALUES
  ('{}', '{}', '{}', '{}', '{}', '{}', '{}'), ('[-1:1]={1,NULL,3}', ARRAY['NULL', NULL, '', ' ', '"', E'\\', '{', '}', ',', E'\n', E'\t', E'\\N', E'\\.'], ARRAY[['a', 'b'], ['c"', E'\\']], '{sad,"","\\"}',
    ARRAY[ROW (1, 'a,"b"\c', '{}')::pair, NULL, ROW (NULL, NULL, NULL)::pair, ROW (2, '', '{sad}')::pair], '{1,999}', '{infinity,"2025-01-01 00:00:00+00"}'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('{{{1},{2}},{{3},{4}}}', '[5:6]={a,b}', NULL, NULL, NULL, NULL, NULL);
CREATE TABLE composites (p pair, pp pair_of_pairs, e empty_composite, s small_positive, c code_text, r no_rows, n number);
INSERT INTO composites VALUES
  (ROW (1, E'a\\b"c\n,()', '{sad,NULL}'), ROW (ROW (1, '"', NULL), NULL), ROW (), 5, 'a', ROW (1, 'x'), '77'), (ROW (NULL, NULL, NULL), ROW (NULL, ROW (NULL, '', '{}')), NULL, 999, E'c\\d', NULL, '-1'), (NULL, NULL, NULL, DEFAULT, NULL, NULL, NULL);
CREATE TABLE rest (
  h hstore, ci citext UNIQUE, b bytea, bi bit(5), bv bit varying, i inet, c cidr, m macaddr, m8 macaddr8, u uuid, tv tsvector, tq tsquery, ir int4range, nr numrange, tr tstzrange, fr float_range, cr c_range,
  mr int4multirange, o oid, rc regclass, rp regprocedure, n name, ch "char", cn char(5), vc varchar(3), lsn pg_lsn, snap pg_snapshot, pt point, ln line, ls lseg, bx box, pa path, po polygon, ci2 circle);
INSERT INTO rest VALUES
  ('a=>1, "b c"=>NULL, "\"\\"=>"NULL", ""=>""', 'MiXed', '\x', B'10101', B'', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '00000000-0000-0000-0000-000000000000',
   $$'\\.':1A,2 'it''s':3B ' ':4 'a b'$$, $$'a b':*A & !( 'c' <-> 'd' )$$, '[1,5)', '(1.10,)', '[2025-01-01 00:00:00+00,infinity]', '[NaN,NaN]', '["a,b","c""d"]', '{[1,2),[5,9)}', 4294967295, 'kinds.hens', 'kinds.shout(text)', 'n"\', '\', 'x',
   'é', 'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '(NaN,-0)', '{1,-1,0}', '[(0,0),(1e300,1)]', '((1,1),(0,0))', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1e-300>'),
  ('', 'ß', (SELECT string_agg(decode(lpad(to_hex(n), 2, '0'), 'hex'), '' ORDER BY n) FROM generate_series(0, 255) AS n), B'00000', B'1', '::ffff:1.2.3.4', '2001:db8::/32', NULL, NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '', '', 'empty', '(,)', 'empty',
   '(,)', '(,"\\")', '{}', 0, '"quo""te".""""', NULL, '', '', '', '', '0/0', NULL, NULL, NULL, NULL, NULL, '((0,0),(1,1))', NULL, NULL);
INSERT INTO rest DEFAULT VALUES;
CREATE TABLE plain_rows (id bigint PRIMARY KEY, t text, at timestamptz);
INSERT INTO plain_rows SELECT n, md5(n::text) || CASE WHEN n % 10 = 0 THEN E'\t\\\n' ELSE '' END, '2025-01-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 10000) AS n;

-- 9. Large objects: their numbers are chosen, as rows refer to them

CREATE TABLE large_objects (lo oid PRIMARY KEY, what text);
INSERT INTO large_objects VALUES
  (lo_create(910001), 'empty'), (lo_from_bytea(910002, '\x00'), '1 byte'),
  (lo_from_bytea(910003, (SELECT string_agg(decode(md5(n::text), 'hex'), '' ORDER BY n) FROM generate_series(1, 327680) AS n)), '5 MB'),
  (lo_create(910004), 'a hole of 300 kB'), (lo_from_bytea(4000000001, E'\\\\.\\012'), 'a number above 2^31'), (lo_from_bytea(910006, convert_to(repeat('x', 2048), 'UTF8')), 'one page exactly'), (0, 'dangling');
SELECT lo_put(910004, 300000, '\xdeadbeef') \g /dev/null
ALTER LARGE OBJECT 910002 OWNER TO app_owner;
GRANT SELECT ON LARGE OBJECT 910002 TO app_ro;
GRANT SELECT, UPDATE ON LARGE OBJECT 910003 TO app_rw WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 910006 TO PUBLIC;

-- 10. Foreign data, publications (of inserts: others would need a replica identity in every table)

CREATE FOREIGN DATA WRAPPER "dummy ""wrapper""" OPTIONS (debug 'true', "odd name" 'it''s \ odd');
CREATE SERVER "nowhere at all" TYPE 'x''y' VERSION '1' FOREIGN DATA WRAPPER "dummy ""wrapper""" OPTIONS (host 'h', "Port" '1');
CREATE USER MAPPING FOR app_rw SERVER "nowhere at all" OPTIONS (user 'u', password 'not a \ secret''s');
CREATE USER MAPPING FOR PUBLIC SERVER "nowhere at all";
CREATE FOREIGN TABLE far_away (a int OPTIONS (name 'A"') NOT NULL, b text DEFAULT 'x') SERVER "nowhere at all" OPTIONS ("table" 't');
CREATE FOREIGN TABLE kinds.far_partition PARTITION OF kinds.only_a_foreign_partition FOR VALUES IN (1) SERVER "nowhere at all";
CREATE PUBLICATION "Publication ""one""" FOR TABLE kinds.tree, ONLY kinds.animals WITH (publish = 'insert, truncate');
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert', publish_via_partition_root);
\if :v15
CREATE PUBLICATION filtered FOR TABLE kinds.indexed (id, t, at) WHERE (t <> E'\\.' AND t IS NOT NULL);
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA data, "quo""te" WITH (publish = 'insert, truncate');
\endif

-- 11. Row-level security

CREATE TABLE code.secrets (id int PRIMARY KEY, "owner" name, t text);
INSERT INTO code.secrets VALUES (1, 'app_rw', 'mine'), (2, 'app_ro', 'yours'), (3, 'nobody', 'lost when the dump obeys a policy');
ALTER TABLE code.secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY "own ""rows""" ON code.secrets FOR ALL TO app_rw, app_ro USING ("owner" = current_user) WITH CHECK (t <> E'\\.');
CREATE POLICY never ON code.secrets AS RESTRICTIVE FOR DELETE USING (false);
CREATE POLICY without_rls ON kinds.one_row FOR SELECT TO PUBLIC USING (id IN (SELECT id FROM code.secrets));
ALTER TABLE kinds.no_rows ENABLE ROW LEVEL SECURITY;

-- 12. Owners and privileges

SELECT format('ALTER %s %s OWNER TO app_owner', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass)
FROM pg_class WHERE relnamespace IN ('kinds'::regnamespace, 'code'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm') AND relname < 'o' ORDER BY oid
\gexec
ALTER FUNCTION code.standard_body(int) OWNER TO app_owner;
ALTER TYPE kinds.mood OWNER TO app_owner;
ALTER DOMAIN kinds.positive OWNER TO app_owner;
ALTER SEQUENCE kinds.never_called OWNER TO app_owner;
ALTER AGGREGATE kinds.product(numeric) OWNER TO app_owner;
ALTER SCHEMA "quo""te" OWNER TO app_owner;
ALTER SERVER "nowhere at all" OWNER TO app_owner;
GRANT USAGE ON SCHEMA kinds, code, data, "quo""te", " sp ace " TO app_rw, app_ro;
GRANT CREATE ON SCHEMA empty TO app_rw WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA kinds, data, "quo""te" TO app_ro;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON kinds.hens TO app_rw WITH GRANT OPTION;
SET ROLE app_rw;
GRANT SELECT (id, name), UPDATE (name) ON kinds.hens TO app_ro;
GRANT SELECT, INSERT ON kinds.hens TO app_ro;
RESET ROLE;
GRANT SELECT (t), INSERT (t, n), UPDATE (n) ON code.triggered TO app_ro WITH GRANT OPTION;
GRANT UPDATE ("""a""") ON "quo""te"."""" TO app_ro;
GRANT ALL ON kinds.tree TO PUBLIC;
REVOKE ALL ON kinds.geese FROM app_owner;
REVOKE ALL ON code.journal FROM app_owner, app_ro;
REVOKE EXECUTE ON FUNCTION code.every_option(int, text, int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION code.standard_body(int) TO app_rw WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE code.plain_procedure(int) TO app_rw;
GRANT USAGE, UPDATE ON SEQUENCE kinds.called_once TO app_rw;
REVOKE USAGE ON TYPE kinds.mood FROM PUBLIC;
GRANT USAGE ON DOMAIN kinds.positive TO app_ro;
GRANT USAGE ON FOREIGN SERVER "nowhere at all" TO app_rw;
GRANT USAGE ON FOREIGN DATA WRAPPER "dummy ""wrapper""" TO app_owner;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO app_owner, app_rw;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO app_ro;
GRANT EXECUTE ON FUNCTION ext.similarity(text, text) TO app_ro;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app_ro;
\if :v17
GRANT MAINTAIN ON kinds.indexed TO app_rw;
\endif
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO app_ro;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA "quo""te" GRANT USAGE ON SEQUENCES TO app_rw WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE app_rw IN SCHEMA data GRANT ALL ON TYPES TO PUBLIC;

-- 13. Comments on everything, each like a piece of a dump

SELECT E'It''s "odd": \\.\n\\.\n\n--\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n\n\\restrict abc\nCOPY a FROM stdin;\n1\n\\.\n$$ /* \\N \\unrestrict abc\r\n  ünï 🐘\t' AS said \gset
SELECT format('COMMENT ON %s %s IS %L', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
  WHEN 'S' THEN 'SEQUENCE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, oid::regclass, relname || :'said')
FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema|ext)' AND relkind <> 't' ORDER BY oid
\gexec
SELECT format('COMMENT ON COLUMN %s.%I IS %L', attrelid::regclass, attname, :'said')
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema|ext)' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND attnum BETWEEN 1 AND 2 AND NOT attisdropped
ORDER BY attrelid, attnum
\gexec
SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, conrelid::regclass, :'said')
FROM pg_constraint WHERE conrelid <> 0 AND connamespace::regnamespace::text !~ '^(pg_|information_schema|ext)' AND contype NOT IN ('t', 'n') ORDER BY oid
\gexec
SELECT format('COMMENT ON TRIGGER %I ON %s IS %L', tgname, tgrelid::regclass, :'said') FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 ORDER BY oid
\gexec
SELECT format('COMMENT ON RULE %I ON %s IS %L', rulename, ev_class::regclass, :'said') FROM pg_rewrite WHERE rulename <> '_RETURN' AND oid >= 16384 ORDER BY oid
\gexec
SELECT format('COMMENT ON POLICY %I ON %s IS %L', polname, polrelid::regclass, :'said') FROM pg_policy ORDER BY oid
\gexec
SELECT format('COMMENT ON %s %s IS %L', CASE prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
  format('%s.%I(%s)', pronamespace::regnamespace, proname, pg_get_function_identity_arguments(oid)), :'said')
FROM pg_proc WHERE pronamespace IN ('kinds'::regnamespace, 'code'::regnamespace) AND proname <> 'own_percentile' AND proname NOT LIKE 'float_range%'
  AND proname NOT LIKE 'c_range%' AND proname NOT LIKE '%multirange' ORDER BY oid
\gexec
SELECT format('COMMENT ON SCHEMA %I IS %L', nspname, :'said') FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' ORDER BY oid
\gexec
SELECT format('COMMENT ON EXTENSION %I IS %L', extname, :'said') FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY oid
\gexec
SELECT format('COMMENT ON PUBLICATION %I IS %L', pubname, :'said') FROM pg_publication ORDER BY oid
\gexec
SELECT format('COMMENT ON LARGE OBJECT %s IS %L', oid, :'said') FROM pg_largeobject_metadata WHERE oid <> 910001 ORDER BY oid
\gexec
COMMENT ON TYPE kinds.mood IS :'said';
COMMENT ON TYPE kinds.float_range IS :'said';
COMMENT ON DOMAIN kinds.small_positive IS :'said';
COMMENT ON CONSTRAINT "not too ""big""" ON DOMAIN kinds.small_positive IS :'said';
COMMENT ON AGGREGATE kinds.own_percentile(float8 ORDER BY float8) IS :'said';
COMMENT ON OPERATOR kinds.@+~ (kinds.pair, kinds.pair) IS :'said';
COMMENT ON OPERATOR CLASS kinds.byte_order_ops USING btree IS :'said';
COMMENT ON OPERATOR FAMILY kinds.byte_order USING btree IS :'said';
COMMENT ON CAST (text AS kinds.pair) IS :'said';
COMMENT ON COLLATION kinds."a copy of C" IS :'said';
COMMENT ON CONVERSION kinds.latin1_again IS :'said';
COMMENT ON TEXT SEARCH CONFIGURATION kinds.odd_english IS :'said';
COMMENT ON TEXT SEARCH DICTIONARY kinds.plain_words IS :'said';
COMMENT ON STATISTICS kinds."Expr ""stat""" IS :'said';
COMMENT ON ACCESS METHOD heap_again IS :'said';
COMMENT ON EVENT TRIGGER "Watch ""DDL""" IS :'said';
COMMENT ON FOREIGN DATA WRAPPER "dummy ""wrapper""" IS :'said';
COMMENT ON SERVER "nowhere at all" IS :'said';
COMMENT ON DATABASE :"db" IS :'said';

-- 14. The database itself: what pg_dump leaves out, and settings that change how values are printed

ALTER DATABASE :"db" OWNER TO app_owner;
ALTER DATABASE :"db" CONNECTION LIMIT 50;
REVOKE TEMPORARY ON DATABASE :"db" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"db" TO app_rw WITH GRANT OPTION;
GRANT CREATE ON DATABASE :"db" TO app_ro;
ALTER DATABASE :"db" SET search_path = "$user", "quo""te", "odd, one", data;
ALTER DATABASE :"db" SET datestyle = 'SQL, DMY';
ALTER DATABASE :"db" SET intervalstyle = sql_standard;
ALTER DATABASE :"db" SET timezone = 'Asia/Kathmandu';
ALTER DATABASE :"db" SET extra_float_digits = -15;
ALTER DATABASE :"db" SET bytea_output = escape;
ALTER DATABASE :"db" SET xmloption = document;
ALTER DATABASE :"db" SET "app.odd" = 'it''s \ "odd", and
two lines';
ALTER ROLE app_rw IN DATABASE :"db" SET work_mem = '5MB';
ALTER ROLE app_rw IN DATABASE :"db" SET search_path = "new
line", data;
