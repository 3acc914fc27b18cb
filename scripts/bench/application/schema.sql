-- The library's types and tables, without keys and indexes, and what its rows are made with (schema "made", which
-- rest.sql drops). psql variables: seed.
CREATE SCHEMA made;

-- Numbers that look random and follow from a row's number, a purpose and the seed alone.
CREATE FUNCTION made.hash(i bigint, purpose int) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN hashint8extended(i, :seed::bigint * 100000 + purpose);
CREATE FUNCTION made.below(i bigint, purpose int, n int) RETURNS int LANGUAGE sql IMMUTABLE
RETURN ((made.hash(i, purpose) & 2147483647) % n)::int;
-- 1 to n, the low ones much more often: what is popular is asked for again.
CREATE FUNCTION made.popular(i bigint, purpose int, n int) RETURNS int LANGUAGE sql IMMUTABLE
RETURN 1 + floor(n * power((made.hash(i, purpose) & 1073741823) / 1073741824.0::float8, 2.5))::int;
CREATE FUNCTION made.money(i bigint, purpose int, cents int) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN made.below(i, purpose, cents) * 0.01;
CREATE FUNCTION made.id(i bigint, purpose int) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN md5(made.hash(i, purpose)::text)::uuid;
-- As pictures and scanned pages are: nothing to compress.
CREATE FUNCTION made.bytes(i bigint, purpose int, blocks int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(sha512((made.hash(i, purpose)::text || ':' || b)::bytea), NULL) FROM generate_series(1, blocks) b $$;

-- A language: function words, then stems with endings, as often as Zipf says.
CREATE TABLE made.words AS
WITH little AS (
  SELECT word, n::int AS rank FROM regexp_split_to_table(
    'the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one '
    'you were all her she there would their we him been has when who will no more if out so up said what its about than '
    'into them can only other time new some could these two may first then do any like my now over such our man me even '
    'most made after also did many off before must well back through years much where your way down should because long '
    'each just those people how too good very make world still see own work men day get here old between both life being '
    'under never same another know while last might us great since against go came right used take three', ' ')
    WITH ORDINALITY AS t (word, n)
), stems AS (
  SELECT word, n FROM regexp_split_to_table(
    'read lend borrow print bind stamp shelf page chapter story travel garden harbour winter summer night morning river '
    'mountain island forest village city street market letter paper ink novel poem author editor reader teacher student '
    'child mother father brother friend stranger soldier doctor painter singer actor farmer sailor builder hunter keeper '
    'light shadow colour sound voice silence music dance song drum bell clock hour moment century history memory dream '
    'answer question reason doubt belief wonder secret promise journey return arrival depart remember forget believe '
    'imagine discover explore follow gather carry build break repair open close begin end turn hold reach touch watch '
    'listen speak call shout laugh weep sleep wake walk climb ride sail drift float burn melt freeze grow plant harvest '
    'seed root leaf branch flower fruit stone sand dust rain snow storm wind cloud thunder bridge road path gate door '
    'window wall roof tower cellar kitchen table chair lamp mirror candle fire water bread salt honey wine apple orange '
    'silver copper iron glass wood leather cotton linen silk wool thread needle button coat boot hat glove pocket bag '
    'box key lock coin price debt gift loan account record ledger notice signal report record number figure measure '
    'weight balance circle square corner edge centre border north south east west distance height depth surface pattern '
    'model design sketch portrait picture image frame canvas brush chapel temple palace castle school college office '
    'factory station engine wheel train ship boat anchor sail map chart compass star moon planet comet ocean coast bay '
    'valley desert plain hill lake spring well stream horse dog cat bird fish wolf bear fox deer mouse owl raven swan '
    'bee spider snake strange quiet bright narrow gentle bitter sweet sharp heavy hollow distant ancient common rare '
    'simple single double early late final perfect public private local foreign native modern medical legal royal '
    'social moral civil equal certain possible likely sudden slow quick calm brave proud honest careful useful', ' ')
    WITH ORDINALITY AS t (word, n)
), endings AS (
  SELECT ending, n FROM unnest(ARRAY['', 's', 'ed', 'ing', 'er', 'less', 'ly', 'ness']) WITH ORDINALITY AS t (ending, n)
), ranked AS (
  SELECT word, rank FROM little
  UNION ALL
  SELECT word, 180 + row_number() OVER (ORDER BY place, word COLLATE "C")
  FROM (SELECT s.word || e.ending AS word, min(s.n * e.n * (1 + made.below(s.n * 10 + e.n, 1, 100) * 0.02)) AS place
        FROM stems s, endings e GROUP BY 1) AS formed
)
SELECT row_number() OVER (ORDER BY rank, n) AS slot, word FROM ranked, generate_series(1, greatest(1, round(1250 / (rank + 2.0)))::int) n
ORDER BY 1 LIMIT 8192;
DO $$ BEGIN ASSERT (SELECT count(*) FROM made.words) = 8192; END $$;
-- "name" has a fixed length, so the n-th element of its array is found at once, however long the array is. Not a stored
-- array: that one would be expanded for every word.
CREATE VIEW made.language AS SELECT array_agg(word::name ORDER BY slot) AS w FROM made.words;

CREATE FUNCTION made.word(w name[], i bigint, purpose int) RETURNS text LANGUAGE sql STABLE
RETURN w[1 + (made.hash(i, purpose) & 8191)::int]::text;
CREATE FUNCTION made.six(w name[], i bigint, purpose int) RETURNS text LANGUAGE sql STABLE
RETURN concat_ws(' ', made.word(w, i, purpose), made.word(w, i, purpose + 1), made.word(w, i, purpose + 2),
  made.word(w, i, purpose + 3), made.word(w, i, purpose + 4), made.word(w, i, purpose + 5));
CREATE FUNCTION made.title(w name[], i bigint, purpose int) RETURNS text LANGUAGE sql STABLE
RETURN initcap(concat_ws(' ', made.word(w, i, purpose), made.word(w, i, purpose + 1),
  CASE WHEN made.below(i, purpose + 9, 3) > 0 THEN made.word(w, i, purpose + 2) || ' ' || made.word(w, i, purpose + 3) END));
-- Purposes from this one to 30 further on are its own.
CREATE FUNCTION made.sentence(w name[], i bigint, purpose int) RETURNS text LANGUAGE sql STABLE
RETURN concat(initcap(made.word(w, i, purpose)), ' ', made.six(w, i, purpose + 1),
  CASE made.below(i, purpose + 30, 4) WHEN 0 THEN NULL
    WHEN 1 THEN ', ' || made.six(w, i, purpose + 10)
    WHEN 2 THEN ' ' || made.six(w, i, purpose + 10)
    ELSE ' ' || made.six(w, i, purpose + 10) || ', ' || made.six(w, i, purpose + 20) END, '.');
CREATE FUNCTION made.prose(w name[], i bigint, purpose int, sentences int) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT string_agg(made.sentence(w, i * 1000 + s, purpose), ' ') FROM generate_series(1, sentences) s);

CREATE SCHEMA catalog;
COMMENT ON SCHEMA catalog IS 'what may be read';
CREATE SCHEMA lending;
COMMENT ON SCHEMA lending IS 'who reads it, and where';
CREATE SCHEMA log;

CREATE TYPE catalog.role AS ENUM ('writer', 'translator', 'illustrator', 'editor');
CREATE TYPE lending.state AS ENUM ('on shelf', 'lent', 'in transit', 'in repair', 'lost', 'withdrawn');
CREATE TYPE log.kind AS ENUM ('look', 'search', 'reserve', 'lend', 'give back', 'sign in', 'sign out', 'fault');
CREATE TYPE lending.place AS (street text, house text, town text, postcode text);
CREATE DOMAIN lending.mail AS text CHECK (VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+$');

CREATE TABLE catalog.languages (code char(2) NOT NULL, name text NOT NULL);
CREATE TABLE catalog.countries (code char(2) NOT NULL, name text NOT NULL, joined date);
CREATE TABLE catalog.publishers (id serial, name text NOT NULL, country char(2) NOT NULL, founded smallint, note text);
CREATE TABLE catalog.series (id smallint GENERATED BY DEFAULT AS IDENTITY, name text NOT NULL, ended boolean NOT NULL);
CREATE TABLE catalog.authors (id serial, name text NOT NULL, born smallint, died smallint, life text,
  CHECK (died > born));
CREATE TABLE catalog.subjects (id int GENERATED ALWAYS AS IDENTITY, above int, name text NOT NULL, path text[] NOT NULL);
CREATE TABLE catalog.titles (id bigserial, title text NOT NULL, subtitle text, summary text NOT NULL, keywords text[] NOT NULL,
  language char(2) NOT NULL, series smallint, facts jsonb NOT NULL DEFAULT '{}',
  found_by tsvector GENERATED ALWAYS AS (to_tsvector('simple', title || ' ' || coalesce(subtitle, ''))) STORED);
CREATE TABLE catalog.title_authors (title bigint NOT NULL, author int NOT NULL, role catalog.role NOT NULL, place smallint NOT NULL);
CREATE TABLE catalog.title_subjects (title bigint NOT NULL, subject int NOT NULL);
CREATE TABLE catalog.editions (id bigint GENERATED BY DEFAULT AS IDENTITY, title bigint NOT NULL, publisher int NOT NULL, isbn text NOT NULL,
  ref uuid NOT NULL, year smallint NOT NULL, pages int, price numeric(9, 2) NOT NULL CHECK (price >= 0), grams real);
CREATE TABLE catalog.covers (edition bigint NOT NULL, mime text NOT NULL, picture bytea NOT NULL, sha256 bytea NOT NULL);
ALTER TABLE catalog.covers ALTER picture SET STORAGE EXTERNAL;
CREATE TABLE catalog.scans (id int GENERATED ALWAYS AS IDENTITY, title bigint NOT NULL, pages int NOT NULL, content oid NOT NULL);
COMMENT ON COLUMN catalog.scans.content IS 'a large object';

CREATE TABLE lending.branches (id serial, name text NOT NULL, address lending.place NOT NULL, at point, opened date NOT NULL);
CREATE TABLE lending.rooms (branch int NOT NULL, floor smallint NOT NULL, name text NOT NULL, seats smallint NOT NULL DEFAULT 0);
CREATE TABLE lending.opening_hours (branch int NOT NULL, weekday smallint NOT NULL, opens time NOT NULL, closes time NOT NULL);
CREATE TABLE lending.closures (id serial, branch int NOT NULL, days daterange NOT NULL, reason text);
CREATE TABLE lending.tariffs (id smallserial, name text NOT NULL, per_day numeric(6, 2) NOT NULL, terms jsonb NOT NULL);
CREATE TABLE lending.staff (id serial, branch int NOT NULL, boss int, name text NOT NULL, duties text[] NOT NULL, since date NOT NULL);
CREATE TABLE lending.members (id bigserial, card uuid NOT NULL, name text NOT NULL, mail lending.mail NOT NULL, born date, wishes jsonb NOT NULL,
  tags text[], balance numeric(10, 2) NOT NULL DEFAULT 0, tariff smallint NOT NULL, joined_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz, changed_at timestamptz);
CREATE TABLE lending.addresses (member bigint NOT NULL, line smallint NOT NULL, place lending.place NOT NULL, since date);
CREATE TABLE lending.copies (id bigserial, edition bigint NOT NULL, branch int NOT NULL, barcode text NOT NULL, state lending.state NOT NULL
  DEFAULT 'on shelf', bought date NOT NULL, paid numeric(9, 2), remark text);
CREATE TABLE lending.loans (id bigserial, copy bigint NOT NULL, member bigint NOT NULL, branch int NOT NULL, lent_at timestamptz NOT NULL,
  due date NOT NULL, back_at timestamptz, renewals smallint NOT NULL DEFAULT 0, note text) PARTITION BY RANGE (lent_at);
CREATE TABLE lending.loans_2023_1 PARTITION OF lending.loans FOR VALUES FROM ('2023-01-01') TO ('2023-07-01');
CREATE TABLE lending.loans_2023_2 PARTITION OF lending.loans FOR VALUES FROM ('2023-07-01') TO ('2024-01-01');
CREATE TABLE lending.loans_2024_1 PARTITION OF lending.loans FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE lending.loans_2024_2 PARTITION OF lending.loans FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
CREATE TABLE lending.loans_later PARTITION OF lending.loans DEFAULT;
CREATE TABLE lending.reservations (id bigint GENERATED ALWAYS AS IDENTITY, title bigint NOT NULL, member bigint NOT NULL, made_at timestamptz NOT NULL,
  ends interval NOT NULL DEFAULT '7 days', met boolean);
CREATE TABLE lending.fees (id bigserial, member bigint NOT NULL, cents numeric(8, 2) NOT NULL, why text NOT NULL, since date NOT NULL);
CREATE TABLE lending.payments (id bigserial, member bigint NOT NULL, sum numeric(10, 2) NOT NULL, paid_at timestamptz NOT NULL, receipt uuid NOT NULL);
CREATE TABLE lending.reviews (id bigserial, title bigint NOT NULL, member bigint NOT NULL, stars smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
  body text, written_at timestamptz NOT NULL);
CREATE TABLE lending.letters (id smallserial, name text NOT NULL, subject text NOT NULL, body text NOT NULL);
CREATE TABLE lending.messages (id bigserial, member bigint NOT NULL, letter smallint, body text NOT NULL, sent_at timestamptz NOT NULL,
  read_at timestamptz);

CREATE TABLE log.activity (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, member bigint, branch int, kind log.kind NOT NULL,
  summary text, details jsonb NOT NULL, request uuid NOT NULL, address inet, took numeric(9, 3));
CREATE TABLE log.searches (id bigserial, at timestamptz NOT NULL, words text NOT NULL, hits int NOT NULL, member bigint);
CREATE TABLE log.imports (id serial, began_at timestamptz NOT NULL, report jsonb NOT NULL, failed boolean NOT NULL DEFAULT false);
CREATE TABLE log.settings (key text NOT NULL, value jsonb, changed_at timestamptz NOT NULL);
CREATE UNLOGGED TABLE log.sessions (token uuid NOT NULL, member bigint NOT NULL, data jsonb NOT NULL, ends_at timestamptz NOT NULL);
