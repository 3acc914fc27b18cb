import BackupModel
import Foundation

/// One host of those that a URL names, and what kind of server it has to be.
struct ConnectionPlace: Sendable, Equatable {
  /// With this host alone.
  var target: ConnectionTarget
  /// For `target_session_attrs`.
  var attributes: String?
}

extension ConnectionTarget {
  /// The hosts in the order in which they are tried. With `prefer-standby` that is twice: first as standbys, then whatever they are.
  var places: [ConnectionPlace] {
    let hosts = single
    let attributes = parameters["target_session_attrs"]
    guard hosts.count > 1, attributes == "prefer-standby" else {
      return hosts.map { ConnectionPlace(target: $0, attributes: attributes) }
    }
    return ["standby", "any"].flatMap { wanted in hosts.map { ConnectionPlace(target: $0, attributes: wanted) } }
  }

  /// A target for each host; itself alone where it names one, or where libpq has to say what is wrong with its lists.
  private var single: [ConnectionTarget] {
    func list(_ name: String) -> [String] {
      parameters[name].map { $0.components(separatedBy: ",") } ?? []
    }
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
    let count = max(hosts.count, addresses.count)
    let fits = [hosts, addresses].allSatisfy { $0.isEmpty || $0.count == count }
    guard count > 1, fits, ports.count <= 1 || ports.count == count else { return [self] }
    return (0..<count).map { index in
      var copy = self
      copy.parameters["host"] = hosts.isEmpty ? nil : hosts[index]
      copy.parameters["hostaddr"] = addresses.isEmpty ? nil : addresses[index]
      if ports.count == count { copy.parameters["port"] = ports[index] }
      return copy
    }
  }
}

extension ConnectionTarget {
  /// The same at the host that has answered a session: of several that a URL names, one run works with one.
  package func at(_ session: Session) -> ConnectionTarget {
    var copy = self
    for keyword in ["host", "hostaddr", "port"] { copy.parameters[keyword] = session.target.parameters[keyword] }
    if session.hasLeftRole {
      copy.parameters["options"] = [copy.parameters["options"], "-c role=none"].compactMap { $0 }.joined(separator: " ")
    }
    return copy
  }
}

/// The addresses that a host's name leads to, where there are several: each is tried by itself.
///
/// - Returns: one nil where libpq is to look for itself, as for a socket, an address, or a name that leads nowhere.
func hostAddresses(of target: ConnectionTarget) -> [String?] {
  guard let host = target.parameters["host"], !host.isEmpty, !host.hasPrefix("/"), !host.hasPrefix("@"),
    target.parameters["hostaddr"] == nil
  else { return [nil] }
  var hints = addrinfo()
  hints.ai_family = AF_UNSPEC
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var found: UnsafeMutablePointer<addrinfo>?
  guard getaddrinfo(host, nil, &hints, &found) == 0, let first = found else { return [nil] }
  defer { freeaddrinfo(first) }
  var addresses: [String] = []
  var next: UnsafeMutablePointer<addrinfo>? = first
  while let entry = next {
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let result = getnameinfo(
      entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
    let address = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    if result == 0, !addresses.contains(address) { addresses.append(address) }
    next = entry.pointee.ai_next
  }
  return addresses.count > 1 ? addresses : [nil]
}
