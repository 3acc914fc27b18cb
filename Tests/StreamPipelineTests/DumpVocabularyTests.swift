import StreamPipeline
import Testing

@Suite struct DumpVocabularyTests {
  @Test(arguments: [
    "DO $$ BEGIN END $$", "COPY (SELECT 1) TO PROGRAM 'id'", "COPY t FROM PROGRAM 'id'", "DROP DATABASE victim",
    "ALTER ROLE tenant SUPERUSER", "CREATE ROLE x", "CREATE USER x", "ALTER SYSTEM SET x = 1",
    "ALTER DATABASE x RENAME TO y",
    "GRANT postgres TO tenant", "SELECT 1", "SELECT pg_catalog.pg_read_file('/etc/passwd')", "VACUUM", "LOAD 'x'",
    "CALL f()",
    "UPDATE t SET a = 1", "DELETE FROM t", "WITH x AS (SELECT 1) SELECT 1", "TRUNCATE t",
    "CREATE TABLESPACE x LOCATION '/'",
    "do $$ begin end $$", "", "EXECUTE x", "NOTIFY x",
  ])
  func `what pg_dump never writes is none of its`(statement: String) {
    #expect(!DumpVocabulary.has(Array(statement.utf8)))
  }

  @Test(arguments: [
    "SET lock_timeout = 0", "SELECT pg_catalog.set_config('search_path', '', false)", "CREATE TABLE public.t (a int)",
    "ALTER TABLE public.t OWNER TO x", "CREATE USER MAPPING FOR x SERVER y", "GRANT SELECT ON TABLE public.t TO x",
    "ALTER DEFAULT PRIVILEGES FOR ROLE x GRANT SELECT ON TABLES TO y", "COPY public.t (a) FROM stdin", "COMMIT",
    "SELECT pg_catalog.lo_create('1')", "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "CREATE OR REPLACE VIEW public.v AS SELECT 1",
  ])
  func `what it writes is`(statement: String) { #expect(DumpVocabulary.has(Array(statement.utf8))) }
}
