import Diagnostics
import Foundation

/// Size and SHA-256 of a file, read to its end.
///
/// - Throws: `cannot_read`; `Failure.stopped`.
package func hashFile(
  _ path: String, cancellation: Cancellation = Cancellation()
) throws(Failure) -> (bytes: UInt64, sha256: String) {
  let file = try FileDescriptor.reading(path)
  let sha = try SHA256()
  var bytes: UInt64 = 0
  try withDataBuffer { (buffer) throws(Failure) in
    while true {
      try cancellation.check()
      let count = try file.read(into: buffer)
      if count == 0 { return }
      sha.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
      bytes += UInt64(count)
    }
  }
  return (bytes, sha.finish())
}
