import Foundation

/// The names of time zones that this machine knows.
enum TimeZoneName {
  static var all: [String] { TimeZone.knownTimeZoneIdentifiers }

  static func exists(_ name: String) -> Bool {
    // The name becomes part of a path, here and inside Foundation.
    guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ".") }), !name.hasPrefix("/") else {
      return false
    }
    return TimeZone(identifier: name) != nil || isZoneFile("/usr/share/zoneinfo/" + name)
  }

  /// The folder also holds lists and tables, which are no zones.
  private static func isZoneFile(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 4)) == Data("TZif".utf8)
  }
}
