-- What the application notes about itself: the large table. psql variables: m.
\ir counts.sql
INSERT INTO log.activity (at, member, branch, kind, summary, details, request, address, took)
SELECT timestamptz '2023-01-01' + i * (interval '760 days' / :n_activity) + made.below(i, 100, 50000) * interval '1 ms',
  CASE WHEN made.below(i, 101, 5) > 0 THEN made.popular(i, 102, :n_members) END,
  CASE WHEN made.below(i, 103, 3) = 0 THEN 1 + made.below(i, 104, 12) END,
  (enum_range(NULL::log.kind))[1 + made.below(i, 105, 8)],
  CASE WHEN made.below(i, 106, 10) > 0 THEN made.sentence(w, i, 110) END,
  jsonb_build_object('page', '/titles/' || made.popular(i, 150, :n_titles), 'session', to_hex(made.hash(i, 151)),
    'agent', (ARRAY['desk 4.1', 'web 12.0', 'web 12.1', 'phone 7.3', 'phone 7.4', 'kiosk 2'])[1 + made.below(i, 152, 6)],
    'status', (ARRAY[200, 200, 200, 200, 302, 404, 500])[1 + made.below(i, 153, 7)], 'bytes', made.below(i, 154, 90000)),
  made.id(i, 155), '10.0.0.0'::inet + (made.hash(i, 156) & 262143), made.below(i, 157, 900000) * 0.001
FROM made.language, generate_series(1::bigint, :n_activity) i;

INSERT INTO log.searches (at, words, hits, member)
SELECT timestamptz '2023-01-01' + i * (interval '760 days' / :n_searches),
  lower(made.title(w, made.popular(i, 200, 1000000), 201)), made.popular(i, 210, 4000) - 1,
  CASE WHEN made.below(i, 211, 2) = 0 THEN 1 + made.below(i, 212, :n_members) END
FROM made.language, generate_series(1::bigint, :n_searches) i;

INSERT INTO log.imports (began_at, report, failed)
SELECT timestamptz '2023-01-01 03:00' + i * interval '1 day',
  jsonb_build_object('source', made.title(w, i, 220), 'read', made.below(i, 230, 9000), 'refused',
    (SELECT jsonb_agg(jsonb_build_object('line', made.below(i * 100 + k, 231, 9000), 'why', made.sentence(w, i * 100 + k, 240)))
     FROM generate_series(1, made.below(i, 232, 4)) k)),
  made.below(i, 233, 20) = 0
FROM made.language, generate_series(1::bigint, 300) i;

INSERT INTO log.settings
SELECT 'library.' || i || '.' || made.word(w, i, 280), to_jsonb(made.six(w, i, 281)), timestamptz '2023-01-01' + i * interval '31 hours'
FROM made.language, generate_series(1::bigint, 80) i;

INSERT INTO log.sessions
SELECT made.id(i, 290), 1 + made.below(i, 291, :n_members), jsonb_build_object('basket', made.below(i, 292, 9)), timestamptz '2025-02-01' + i * interval '1 minute'
FROM generate_series(1::bigint, 500) i;
