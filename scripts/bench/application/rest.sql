-- References, and what is made of the tables. Then nothing of how the rows were made stays.
DROP SCHEMA made CASCADE;
ALTER TABLE catalog.publishers ADD FOREIGN KEY (country) REFERENCES catalog.countries;
ALTER TABLE catalog.subjects ADD FOREIGN KEY (above) REFERENCES catalog.subjects;
ALTER TABLE catalog.titles ADD FOREIGN KEY (language) REFERENCES catalog.languages, ADD FOREIGN KEY (series) REFERENCES catalog.series ON DELETE SET NULL;
ALTER TABLE catalog.title_authors ADD FOREIGN KEY (title) REFERENCES catalog.titles ON DELETE CASCADE, ADD FOREIGN KEY (author) REFERENCES catalog.authors;
ALTER TABLE catalog.title_subjects ADD FOREIGN KEY (title) REFERENCES catalog.titles ON DELETE CASCADE, ADD FOREIGN KEY (subject) REFERENCES catalog.subjects;
ALTER TABLE catalog.editions ADD FOREIGN KEY (title) REFERENCES catalog.titles, ADD FOREIGN KEY (publisher) REFERENCES catalog.publishers;
ALTER TABLE catalog.covers ADD FOREIGN KEY (edition) REFERENCES catalog.editions ON DELETE CASCADE;
ALTER TABLE catalog.scans ADD FOREIGN KEY (title) REFERENCES catalog.titles;
ALTER TABLE lending.rooms ADD FOREIGN KEY (branch) REFERENCES lending.branches;
ALTER TABLE lending.opening_hours ADD FOREIGN KEY (branch) REFERENCES lending.branches;
ALTER TABLE lending.closures ADD FOREIGN KEY (branch) REFERENCES lending.branches;
ALTER TABLE lending.staff ADD FOREIGN KEY (branch) REFERENCES lending.branches, ADD FOREIGN KEY (boss) REFERENCES lending.staff DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE lending.members ADD FOREIGN KEY (tariff) REFERENCES lending.tariffs;
ALTER TABLE lending.addresses ADD FOREIGN KEY (member) REFERENCES lending.members ON DELETE CASCADE;
ALTER TABLE lending.copies ADD FOREIGN KEY (edition) REFERENCES catalog.editions, ADD FOREIGN KEY (branch) REFERENCES lending.branches;
ALTER TABLE lending.loans ADD FOREIGN KEY (copy) REFERENCES lending.copies, ADD FOREIGN KEY (member) REFERENCES lending.members;
ALTER TABLE lending.reservations ADD FOREIGN KEY (title) REFERENCES catalog.titles, ADD FOREIGN KEY (member) REFERENCES lending.members;
ALTER TABLE lending.fees ADD FOREIGN KEY (member) REFERENCES lending.members;
ALTER TABLE lending.payments ADD FOREIGN KEY (member) REFERENCES lending.members;
ALTER TABLE lending.reviews ADD FOREIGN KEY (title) REFERENCES catalog.titles ON DELETE CASCADE, ADD FOREIGN KEY (member) REFERENCES lending.members;
ALTER TABLE lending.messages ADD FOREIGN KEY (member) REFERENCES lending.members ON DELETE CASCADE, ADD FOREIGN KEY (letter) REFERENCES lending.letters;

CREATE FUNCTION lending.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER note_change BEFORE UPDATE ON lending.members FOR EACH ROW EXECUTE FUNCTION lending.note_change();
CREATE FUNCTION lending.owed(of bigint) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT sum(cents) FROM lending.fees WHERE member = of), 0) - coalesce((SELECT sum(sum) FROM lending.payments WHERE member = of), 0) $$;
CREATE VIEW lending.overdue AS
  SELECT l.id, l.member, m.mail, l.due FROM lending.loans l JOIN lending.members m ON m.id = l.member WHERE l.back_at IS NULL AND l.due < current_date;
CREATE MATERIALIZED VIEW lending.most_read AS
  SELECT e.title, count(*) AS loans, max(l.lent_at) AS last
  FROM lending.loans l JOIN lending.copies c ON c.id = l.copy JOIN catalog.editions e ON e.id = c.edition GROUP BY 1 ORDER BY 1;
CREATE UNIQUE INDEX most_read_title ON lending.most_read (title);
CREATE STATISTICS lending.copies_by_state (dependencies) ON branch, state FROM lending.copies;
GRANT USAGE ON SCHEMA lending TO PUBLIC;
GRANT SELECT ON lending.overdue, lending.most_read TO PUBLIC;
COMMENT ON TABLE lending.loans IS 'a partition each half year';
VACUUM (ANALYZE);
