/// What a control group allows of the processor's time, as whole cores; a part of one counts as one.
///
/// Containers and systemd's CPUQuota limit a process so; the number of processors says nothing about it.
package enum CoreQuota {
  /// - Parameter text: of `cpu.max` (version 2): `150000 100000`, or `max 100000` for no limit.
  package static func cores(max text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 2 else { return nil }
    return cores(quota: String(words[0]), period: String(words[1]))
  }

  /// - Parameters:
  ///   - quota: of `cpu.cfs_quota_us` (version 1); -1: no limit.
  ///   - period: of `cpu.cfs_period_us`.
  package static func cores(quota: String, period: String) -> Int? {
    func number(_ text: String) -> Int? { Int(text.filter { !$0.isWhitespace }) }
    guard let quota = number(quota), let period = number(period), quota > 0, period > 0 else { return nil }
    return max(1, (quota + period - 1) / period)
  }

  /// Folders of the groups that limit a process: its own and all above it.
  ///
  /// - Parameter text: of `/proc/self/cgroup`: `0::/system.slice/backup.service`, `4:cpu,cpuacct:/docker/3f9a`.
  package static func folders(_ text: String) -> (unified: [String], cpu: [String]) {
    var (unified, cpu) = (["/sys/fs/cgroup"], ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"])
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      var path = ""
      let steps = parts[2].split(separator: "/").filter { $0 != ".." }
      let controllers = parts[1].split(separator: ",")
      for step in steps {
        path += "/\(step)"
        if parts[0] == "0", parts[1].isEmpty { unified.append("/sys/fs/cgroup\(path)") }
        if controllers.contains("cpu") {
          cpu.append("/sys/fs/cgroup/cpu\(path)")
          cpu.append("/sys/fs/cgroup/cpu,cpuacct\(path)")
        }
      }
    }
    return (unified, cpu)
  }
}
