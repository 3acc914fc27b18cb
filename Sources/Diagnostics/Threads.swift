import Foundation

/// Starts a thread. Foundation does not tell when the system has none to give, and whoever waits for the thread would wait for ever.
///
/// - Returns: false when there is no thread; `body` does not run then.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  let work = Unmanaged.passRetained(ThreadWork(body: body))
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  var thread = pthread_t()
  let result = pthread_create(
    &thread, &attributes,
    { argument in
      guard let argument else { return nil }
      Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().body()
      return nil
    }, work.toOpaque())
  if result != 0 { work.release() }
  return result == 0
}

private final class ThreadWork {
  let body: @Sendable () -> Void
  init(body: @escaping @Sendable () -> Void) { self.body = body }
}

extension Failure {
  /// The system has no thread to give.
  package static let noThread = Failure(
    "no_thread", exit: .unavailable, what: "starting a thread",
    why: "the system gives no more threads to this process or its user",
    nextStep: "raise the limit of processes (ulimit -u, pids of the container), then run the same command again")
}
