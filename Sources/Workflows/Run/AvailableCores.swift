import Foundation
import Planning

/// Cores that this process may use: those that it may run on, less where its control group allows less.
package func availableCores() -> Int {
  func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }
  let groups = CoreQuota.folders(text("/proc/self/cgroup") ?? "")
  let unified = groups.unified.compactMap { text("\($0)/cpu.max").flatMap(CoreQuota.cores(max:)) }
  let old = groups.cpu.compactMap { folder -> Int? in
    guard let quota = text("\(folder)/cpu.cfs_quota_us"), let period = text("\(folder)/cpu.cfs_period_us") else {
      return nil
    }
    return CoreQuota.cores(quota: quota, period: period)
  }
  return ([ProcessInfo.processInfo.activeProcessorCount] + unified + old).min() ?? 1
}
