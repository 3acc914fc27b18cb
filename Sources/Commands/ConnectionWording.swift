import Diagnostics
import PostgresTools

/// What is wrong with a policy's `database.url`, for the line that it stands on.
@Sendable func connectionProblem(_ url: Secret) -> String? {
  do throws(Failure) {
    _ = try ConnectionURL.parse(url)
    return nil
  } catch { return "\(error.why); \(error.nextStep)" }
}
