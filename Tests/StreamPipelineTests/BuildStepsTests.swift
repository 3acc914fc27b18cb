import StreamPipeline
import Testing

@Suite struct BuildStepsTests {
  private func steps(_ statement: String) -> [String]? {
    BuildSteps(Array(statement.utf8)).map { steps in
      [steps.make, steps.build, steps.undo].map { String(decoding: $0, as: UTF8.self) }
    }
  }

  @Test func `an index is made and built`() {
    #expect(
      steps("CREATE UNIQUE INDEX \"a \"\"b\"\" ON c.d\" ON public.t USING btree (public.f(x))") == [
        "CREATE UNIQUE INDEX CONCURRENTLY \"a \"\"b\"\" ON c.d\" ON public.t USING btree (public.f(x))",
        "REINDEX INDEX public.\"a \"\"b\"\" ON c.d\"", "DROP INDEX IF EXISTS public.\"a \"\"b\"\" ON c.d\"",
      ])
    #expect(steps("CREATE INDEX i ON ONLY public.t USING btree (a)") == nil, "it has no content")
  }

  @Test func `a constraint is made and validated`() {
    let key =
      "ALTER TABLE ONLY public.\"t ADD CONSTRAINT x CHECK \"\n    ADD CONSTRAINT \"k\" FOREIGN KEY (a) REFERENCES public.p(a)"
    #expect(
      steps(key) == [
        "\(key) NOT VALID", "ALTER TABLE public.\"t ADD CONSTRAINT x CHECK \" VALIDATE CONSTRAINT \"k\"",
        "ALTER TABLE public.\"t ADD CONSTRAINT x CHECK \" DROP CONSTRAINT IF EXISTS \"k\"",
      ])
    #expect(steps("\(key) NOT VALID") == nil)
    #expect(steps("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k PRIMARY KEY (a)") == nil)
    #expect(steps("CREATE VIEW public.v AS SELECT 1") == nil)
  }

  @Test func `a key is told from other constraints`() {
    #expect(
      BuildSteps.isKey(Array("ALTER TABLE ONLY a.b\n    ADD CONSTRAINT c EXCLUDE USING gist (d WITH =)".utf8)))
    #expect(!BuildSteps.isKey(Array("ALTER TABLE ONLY a.b\n    ADD CONSTRAINT c CHECK (d)".utf8)))
  }
}
