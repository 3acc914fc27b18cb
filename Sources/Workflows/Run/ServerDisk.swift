import BackupModel
import Diagnostics
import Foundation
import Planning
import PostgresTools
import StreamPipeline

/// The disk of a server that runs on this machine.
struct ServerDisk {
  let target: ConnectionTarget

  /// The room for a database of this many bytes.
  func room(for bytes: UInt64, _ session: Session) throws(Failure) -> ServerRoom {
    let longestLog = try session.query(
      "SELECT setting::bigint * 1048576 FROM pg_catalog.pg_settings WHERE name = 'max_wal_size' AND unit = 'MB'")
    return ServerRoom(
      needed: bytes, longestLog: (longestLog.first?.first ?? nil).flatMap { UInt64($0) },
      free: try freeBytes(session))
  }

  /// - Returns: nil where the server is elsewhere, or does not tell where its data is.
  private func freeBytes(_ session: Session) throws(Failure) -> UInt64? {
    guard target.isLocal else { return nil }
    guard case .success(let rows) = session.attempt("SHOW data_directory"), let folder = rows.first?.first ?? nil
    else { return nil }
    // Behind a forwarded port, or in a container, that is another machine's folder.
    guard access("\(folder)/PG_VERSION", F_OK) == 0 else { return nil }
    return StreamPipeline.freeBytes(folder)
  }
}

extension ConnectionTarget {
  /// By a socket, or by the loopback interface.
  var isLocal: Bool {
    let host = parameters["host"] ?? ""
    return host.isEmpty || host.hasPrefix("/") || host.hasPrefix("127.") || ["localhost", "::1"].contains(host)
  }
}
