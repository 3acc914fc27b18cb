import CProcess
import Foundation

/// Gives the read part of a file back to its file system while the rest is still being written.
struct HolePuncher {
  private let file: FileDescriptor
  private var read: UInt64 = 0
  private(set) var punched: UInt64 = 0
  /// False where the file system cannot do it: then the file simply stays whole until its end.
  private(set) var works = true

  /// Of each file so much may stand read and not yet given back.
  static let step: UInt64 = 4 << 20
  /// Whole blocks, whatever their size: part of one would be overwritten with zeros, and stay.
  fileprivate static let alignment: UInt64 = 64 << 10

  /// - Parameter file: open for writing too.
  init(_ file: FileDescriptor) { self.file = file }

  mutating func consumed(_ count: Int) {
    read += UInt64(count)
    guard works, read - punched >= Self.step else { return }
    let end = read - read % Self.alignment
    works = cprocess_punch_hole(file.number, Int64(punched), Int64(end - punched)) == 0
    if works { punched = end }
  }
}

/// Whether the file system of a folder takes back the part of a file that was read, found by trying.
package func canPunchHoles(in folder: String) -> Bool {
  var template = Array("\(folder)/.partial-check-XXXXXX".utf8CString)
  let number = mkstemp(&template)
  guard number >= 0 else { return false }
  unlink(template)
  let file = FileDescriptor(adopting: number, path: folder)
  let block = [UInt8](repeating: 1, count: Int(HolePuncher.alignment))
  guard block.withUnsafeBytes({ write(number, $0.baseAddress, $0.count) }) == block.count else { return false }
  return withExtendedLifetime(file) { cprocess_punch_hole(number, 0, Int64(block.count)) == 0 }
}
