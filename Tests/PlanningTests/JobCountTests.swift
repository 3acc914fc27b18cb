import Planning
import Testing

@Suite struct JobCountTests {
  @Test(arguments: [
    (2, 100, 2), (64, 100, 8), (64, 12, 6), (64, 10, 5), (64, 6, 2), (64, 4, 1), (64, 1, 1), (64, 0, 1), (1, 100, 1),
  ])
  func `auto is the least of cores, 8 and half of what is free, and never none`(cores: Int, free: Int, jobs: Int) {
    #expect(jobCount(wanted: nil, cores: cores, free: free) == jobs)
  }

  @Test func `a number is that number, and without a server the cores decide`() {
    #expect(jobCount(wanted: 16, cores: 2, free: 4) == 16)
    #expect(jobCount(wanted: nil, cores: 4, free: nil) == 4)
    #expect(jobCount(wanted: nil, cores: 64, free: nil) == 8)
  }

  @Test func `what auto takes fits, where one job does`() {
    for free in 4...40 {
      let jobs = jobCount(wanted: nil, cores: 64, free: free)
      #expect(sessionsOfBackup(jobs: jobs, inParallel: true) <= free, "\(free)")
    }
    #expect(sessionsOfBackup(jobs: 4, inParallel: true) == 8)
    #expect(sessionsOfBackup(jobs: 4, inParallel: false) == 4)
    #expect(sessionsOfBackup(jobs: 1, inParallel: true) == 4)
  }

  @Test(arguments: [
    ("max 100000", nil), ("150000 100000\n", 2), ("400000 100000", 4), ("10000 100000", 1), ("", nil), ("x y", nil),
    ("100000 0", nil),
  ])
  func `a quota of version 2 is so many cores`(text: String, cores: Int?) {
    #expect(CoreQuota.cores(max: text) == cores)
  }

  @Test(arguments: [("-1\n", "100000", nil), ("250000\n", "100000\n", 3), ("50000", "100000", 1), ("", "", nil)])
  func `a quota of version 1 is so many cores`(quota: String, period: String, cores: Int?) {
    #expect(CoreQuota.cores(quota: quota, period: period) == cores)
  }

  @Test func `a group is limited by all above it`() {
    let unified = CoreQuota.folders("0::/system.slice/backup.service\n").unified
    #expect(
      unified == [
        "/sys/fs/cgroup", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/system.slice/backup.service",
      ])
    let old = CoreQuota.folders("5:memory:/docker/a\n4:cpu,cpuacct:/docker/3f9a\n").cpu
    #expect(old.contains("/sys/fs/cgroup/cpu/docker/3f9a"))
    #expect(old.contains("/sys/fs/cgroup/cpu,cpuacct/docker"))
    #expect(!old.contains { $0.hasSuffix("/a") })
  }
}
