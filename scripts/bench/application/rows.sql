-- What may be read, who reads it, and what came of it. psql variables: m.
\ir counts.sql
INSERT INTO catalog.languages
SELECT * FROM (VALUES ('ar', 'Arabic'), ('cs', 'Czech'), ('da', 'Danish'), ('de', 'German'), ('el', 'Greek'), ('en', 'English'), ('es', 'Spanish'),
  ('fi', 'Finnish'), ('fr', 'French'), ('hu', 'Hungarian'), ('it', 'Italian'), ('ja', 'Japanese'), ('nl', 'Dutch'), ('no', 'Norwegian'),
  ('pl', 'Polish'), ('pt', 'Portuguese'), ('ro', 'Romanian'), ('ru', 'Russian'), ('sv', 'Swedish'), ('tr', 'Turkish')) AS v;
INSERT INTO catalog.countries
SELECT * FROM (VALUES ('AT', 'Österreich', date '1995-01-01'), ('CH', 'Schweiz', NULL), ('CZ', 'Česko', '2004-05-01'), ('DE', 'Deutschland', '1958-01-01'),
  ('DK', 'Danmark', '1973-01-01'), ('ES', 'España', '1986-01-01'), ('FR', 'France', '1958-01-01'), ('GB', 'United Kingdom', NULL),
  ('GR', 'Ελλάδα', '1981-01-01'), ('IT', 'Italia', '1958-01-01'), ('PL', 'Polska', '2004-05-01'), ('SE', 'Sverige', '1995-01-01')) AS v;
INSERT INTO catalog.publishers (name, country, founded, note)
SELECT made.title(w, i, 300) || ' Press', (ARRAY['AT', 'CH', 'CZ', 'DE', 'DK', 'ES', 'FR', 'GB', 'GR', 'IT', 'PL', 'SE'])[1 + made.below(i, 310, 12)],
  1800 + made.below(i, 311, 220), CASE WHEN made.below(i, 312, 4) = 0 THEN made.sentence(w, i, 320) END
FROM made.language, generate_series(1::bigint, 200) i;
INSERT INTO catalog.series (name, ended)
SELECT made.title(w, i, 360), made.below(i, 370, 3) = 0 FROM made.language, generate_series(1::bigint, 150) i;
INSERT INTO catalog.authors (name, born, died, life)
SELECT initcap(made.word(w, i, 400) || ' ' || made.word(w, i, 401)), y, CASE WHEN y < 1950 THEN y + 30 + made.below(i, 402, 60) END,
  CASE WHEN made.below(i, 403, 2) = 0 THEN made.prose(w, i, 410, 2 + made.below(i, 404, 4)) END
FROM made.language, generate_series(1::bigint, :n_authors) i, LATERAL (SELECT 1780 + made.below(i, 405, 225)) AS birth (y);
INSERT INTO catalog.subjects (above, name, path)
SELECT CASE WHEN i > 12 THEN 1 + made.below(i, 450, 12) END, made.title(w, i, 451), ARRAY[made.word(w, i, 461), made.word(w, i, 462)]
FROM made.language, generate_series(1::bigint, 180) i;
INSERT INTO catalog.titles (title, subtitle, summary, keywords, language, series, facts)
SELECT made.title(w, i, 500), CASE WHEN made.below(i, 510, 3) = 0 THEN made.title(w, i, 511) END,
  made.prose(w, i, 530, 3 + made.below(i, 521, 8)), ARRAY[made.word(w, i, 522), made.word(w, i, 523), made.word(w, i, 524)],
  (ARRAY['en', 'en', 'en', 'de', 'de', 'fr', 'es', 'it', 'nl', 'sv'])[1 + made.below(i, 525, 10)],
  CASE WHEN made.below(i, 526, 8) = 0 THEN made.popular(i, 527, 150) END,
  jsonb_build_object('first', 1850 + made.below(i, 528, 175), 'prizes', made.below(i, 529, 4), 'age', made.below(i, 565, 16))
FROM made.language, generate_series(1::bigint, :n_titles) i;
INSERT INTO catalog.title_authors
SELECT i, 1 + (made.popular(i, 570, :n_authors) + p * 7) % :n_authors, (enum_range(NULL::catalog.role))[p], p
FROM generate_series(1::bigint, :n_titles) i, LATERAL generate_series(1, 1 + made.below(i, 571, 3) / 2) p;
INSERT INTO catalog.title_subjects
SELECT i, 1 + (made.popular(i, 575, 180) + p * 11) % 180
FROM generate_series(1::bigint, :n_titles) i, LATERAL generate_series(1, 1 + made.below(i, 576, 4)) p;
INSERT INTO catalog.editions (title, publisher, isbn, ref, year, pages, price, grams)
SELECT 1 + (i - 1) % :n_titles, made.popular(i, 580, 200), '978' || lpad((i * 7919 % 10000000000)::text, 10, '0'), made.id(i, 581), 1950 + made.below(i, 582, 75),
  CASE WHEN made.below(i, 583, 9) > 0 THEN 40 + made.popular(i, 584, 1200) END, made.money(i, 585, 9000), 80 + made.below(i, 586, 15000) * 0.1
FROM generate_series(1::bigint, :n_editions) i;
INSERT INTO catalog.covers
SELECT i, 'image/jpeg', b, sha256(b)
FROM generate_series(1::bigint, :n_covers) i, LATERAL (SELECT made.bytes(i, 590, 30 + made.popular(i, 591, 160))) AS made (b);
INSERT INTO catalog.scans (title, pages, content)
SELECT made.popular(i, 600, :n_titles), 4 + made.below(i, 601, 30), lo_from_bytea((800000 + i)::oid, made.bytes(i, 602, 800 + made.below(i, 603, 4000)))
FROM generate_series(1::bigint, :n_scans) i;

INSERT INTO lending.branches (name, address, at, opened)
SELECT made.title(w, i, 650), ROW(initcap(made.word(w, i, 660)) || ' Street', 1 + made.below(i, 661, 180), initcap(made.word(w, i, 662)), 10000 + made.below(i, 663, 80000))::lending.place,
  point(8 + made.below(i, 664, 100000) * 0.00005, 47 + made.below(i, 665, 100000) * 0.00006), date '1960-01-01' + made.below(i, 666, 20000)
FROM made.language, generate_series(1::bigint, 12) i;
INSERT INTO lending.rooms
SELECT i, f, initcap(made.word(w, i * 10 + f, 670)), made.below(i * 10 + f, 671, 60) FROM made.language, generate_series(1::bigint, 12) i, generate_series(0, 3) f;
INSERT INTO lending.opening_hours
SELECT i, d, time '08:00' + made.below(i * 10 + d, 675, 8) * interval '15 min', time '17:00' + made.below(i * 10 + d, 676, 12) * interval '15 min'
FROM generate_series(1::bigint, 12) i, generate_series(1, 6) d;
INSERT INTO lending.closures (branch, days, reason)
SELECT 1 + made.below(i, 680, 12), daterange(d, d + 1 + made.below(i, 681, 10)), CASE WHEN made.below(i, 682, 3) > 0 THEN made.six(w, i, 683) END
FROM made.language, generate_series(1::bigint, 90) i, LATERAL (SELECT date '2023-01-01' + made.below(i, 690, 730)) AS begun (d);
INSERT INTO lending.tariffs (name, per_day, terms)
SELECT n, p, jsonb_build_object('days', 14 + 7 * p::int, 'copies', 3 * length(n)) FROM (VALUES ('child', 0), ('student', 0.1), ('adult', 0.25), ('guest', 1.5)) AS v (n, p);
INSERT INTO lending.staff (branch, boss, name, duties, since)
SELECT 1 + made.below(i, 700, 12), CASE WHEN i > 6 THEN 1 + made.below(i, 701, 6) END, initcap(made.word(w, i, 702) || ' ' || made.word(w, i, 703)),
  ARRAY[made.word(w, i, 704), made.word(w, i, 705)], date '1995-01-01' + made.below(i, 706, 10000)
FROM made.language, generate_series(1::bigint, 120) i;
INSERT INTO lending.members (card, name, mail, born, wishes, tags, balance, tariff, joined_at, seen_at)
SELECT made.id(i, 710), initcap(made.word(w, i, 711) || ' ' || made.word(w, i, 712)), made.word(w, i, 711) || i || '@' || (ARRAY['example.org', 'post.example', 'mail.example'])[1 + made.below(i, 713, 3)],
  CASE WHEN made.below(i, 714, 6) > 0 THEN date '1935-01-01' + made.below(i, 715, 30000) END,
  jsonb_build_object('language', (ARRAY['en', 'de', 'fr', 'es'])[1 + made.below(i, 716, 4)], 'letters', made.below(i, 717, 2) = 0, 'likes', jsonb_build_array(made.popular(i, 718, 180), made.popular(i, 719, 180))),
  CASE WHEN made.below(i, 720, 3) = 0 THEN ARRAY[made.word(w, i, 721), made.word(w, i, 722)] END, made.money(i, 723, 6000) - 20, 1 + made.below(i, 724, 4),
  timestamptz '2015-01-01' + i * (interval '3600 days' / :n_members), CASE WHEN made.below(i, 725, 7) > 0 THEN timestamptz '2025-01-30' - made.popular(i, 726, 700000) * interval '77 s' END
FROM made.language, generate_series(1::bigint, :n_members) i;
INSERT INTO lending.addresses
SELECT i, l, ROW(initcap(made.word(w, i + l, 730)) || ' Road', 1 + made.below(i + l, 731, 200), initcap(made.word(w, made.popular(i, 732, 3000), 733)), 10000 + made.popular(i, 734, 80000))::lending.place,
  CASE WHEN made.below(i, 735, 2) = 0 THEN date '2010-01-01' + made.below(i, 736, 5000) END
FROM made.language, generate_series(1::bigint, :n_members) i, LATERAL generate_series(1, 1 + made.below(i, 737, 6) / 5) l;
INSERT INTO lending.copies (edition, branch, barcode, state, bought, paid, remark)
SELECT 1 + (made.popular(i, 740, :n_editions) + i) % :n_editions, 1 + made.below(i, 741, 12), 'L' || lpad((i * 104729 % 1000000000)::text, 9, '0'),
  (enum_range(NULL::lending.state))[made.popular(i, 742, 6)], date '2005-01-01' + made.popular(i, 743, 7000), CASE WHEN made.below(i, 744, 4) > 0 THEN made.money(i, 745, 8000) END,
  CASE WHEN made.below(i, 746, 12) = 0 THEN made.six(w, i, 747) END
FROM made.language, generate_series(1::bigint, :n_copies) i;

INSERT INTO lending.loans (copy, member, branch, lent_at, due, back_at, renewals, note)
SELECT made.popular(i, 800, :n_copies), made.popular(i, 801, :n_members), 1 + made.below(i, 802, 12), t, t::date + 28,
  CASE WHEN made.below(i, 803, 15) > 0 THEN t + made.below(i, 804, 3000000) * interval '1 s' END, made.popular(i, 805, 5) - 1,
  CASE WHEN made.below(i, 806, 20) = 0 THEN made.six(w, i, 807) END
FROM made.language, generate_series(1::bigint, :n_loans) i, LATERAL (SELECT timestamptz '2023-01-01' + i * (interval '760 days' / :n_loans)) AS lent (t);
INSERT INTO lending.reservations (title, member, made_at, met)
SELECT made.popular(i, 820, :n_titles), made.popular(i, 821, :n_members), timestamptz '2023-01-01' + i * (interval '760 days' / :n_reservations), (ARRAY[true, false, NULL])[1 + made.below(i, 822, 3)]
FROM generate_series(1::bigint, :n_reservations) i;
INSERT INTO lending.fees (member, cents, why, since)
SELECT made.popular(i, 830, :n_members), made.money(i, 831, 3000), (ARRAY['late', 'late', 'late', 'damaged', 'lost', 'new card'])[1 + made.below(i, 832, 6)], date '2023-01-01' + (i * 760 / :n_fees)::int
FROM generate_series(1::bigint, :n_fees) i;
INSERT INTO lending.payments (member, sum, paid_at, receipt)
SELECT made.popular(i, 840, :n_members), 1 + made.money(i, 841, 5000), timestamptz '2023-01-01' + i * (interval '760 days' / :n_payments), made.id(i, 842)
FROM generate_series(1::bigint, :n_payments) i;
INSERT INTO lending.reviews (title, member, stars, body, written_at)
SELECT made.popular(i, 850, :n_titles), 1 + made.below(i, 851, :n_members), 6 - made.popular(i, 852, 5), CASE WHEN made.below(i, 853, 6) > 0 THEN made.prose(w, i, 860, made.popular(i, 854, 20)) END,
  timestamptz '2023-01-01' + i * (interval '760 days' / :n_reviews)
FROM made.language, generate_series(1::bigint, :n_reviews) i;
INSERT INTO lending.letters (name, subject, body)
SELECT made.word(w, i, 900) || ' ' || i, made.title(w, i, 901), made.prose(w, i, 920, 8) FROM made.language, generate_series(1::bigint, 25) i;
INSERT INTO lending.messages (member, letter, body, sent_at, read_at)
SELECT made.popular(i, 960, :n_members), CASE WHEN made.below(i, 961, 4) > 0 THEN 1 + made.below(i, 962, 25) END, made.prose(w, i, 970, 2 + made.popular(i, 963, 25)), t,
  CASE WHEN made.below(i, 964, 3) > 0 THEN t + made.below(i, 965, 900000) * interval '1 s' END
FROM made.language, generate_series(1::bigint, :n_messages) i, LATERAL (SELECT timestamptz '2023-01-01' + i * (interval '760 days' / :n_messages)) AS sent (t);
