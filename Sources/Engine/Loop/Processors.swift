import CLinux
import Glibc

/// Returns the number of processors that this process may use, at least 1.
package func usableProcessors() -> Int {
    var count = Int(relay_processors())
    if count == 0 { count = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    if let quota = quotaOfProcessors() { count = min(count, quota) }
    return max(1, count)
}

/// Returns the CPU quota of the control group in processors, rounded up; nil if there is no quota.
private func quotaOfProcessors() -> Int? {
    let two = numbers("/sys/fs/cgroup/cpu.max")
    if two.count == 2 { return (two[0] + two[1] - 1) / max(1, two[1]) }
    let quota = numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    let period = numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    guard let quota = quota.first, let period = period.first, quota > 0, period > 0 else { return nil }
    return (quota + period - 1) / period
}

private func numbers(_ path: String) -> [Int] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    guard fgets(&line, 64, file) != nil else { return [] }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
}
