import CCrypto
import Diagnostics

/// SHA-256 of a stream of bytes, by OpenSSL.
package final class SHA256 {
  private let context: OpaquePointer

  /// - Throws: `internal_error` when OpenSSL has no memory or no SHA-256.
  package init() throws(Failure) {
    guard let context = EVP_MD_CTX_new() else { throw .internalError("OpenSSL gave no digest context") }
    self.context = context
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      throw .internalError("OpenSSL has no SHA-256")
    }
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  /// 64 hexadecimal digits. The object takes no more bytes afterwards.
  package func finish() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &digest, nil)
    return digest.reduce(into: "") { text, byte in
      text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
    }
  }

  /// The hash of a short text.
  package static func hash(of text: some StringProtocol) throws(Failure) -> String {
    let sha = try SHA256()
    var copy = String(text)
    copy.withUTF8 { sha.update(UnsafeRawBufferPointer($0)) }
    return sha.finish()
  }
}
