import Glibc

/// Returns the memory that this process may use, in bytes: the machine's, or a control group's lower limit.
/// - Parameter read: returns the text of a file; nil if the file does not exist.
package func usableMemory(read: (String) -> String? = textOfFile) -> Int {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let groups = memoryGroups(read("/proc/self/cgroup") ?? "")
    var least = machine > 0 ? machine : Int.max
    for file in groups {
        // `max` in version 2, and a number near the largest in version 1, mean that there is no limit.
        let limit = read(file).flatMap { Int($0.prefix { $0 >= "0" && $0 <= "9" }) } ?? Int.max
        if limit > 0 { least = min(least, limit) }
    }
    return least
}

/// Returns the paths of the files that may contain a memory limit, by the content of `/proc/self/cgroup`.
private func memoryGroups(_ groups: String) -> [String] {
    var files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    for line in groups.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { continue }
        let isUnified = parts[0] == "0" && parts[1].isEmpty
        guard isUnified || parts[1].split(separator: ",").contains("memory") else { continue }
        var path = ""
        for folder in parts[2].split(separator: "/") {
            path += "/\(folder)"
            files.append(
                isUnified ? "/sys/fs/cgroup\(path)/memory.max" : "/sys/fs/cgroup/memory\(path)/memory.limit_in_bytes"
            )
        }
    }
    return files
}

/// Returns the first 4 KB of a file as text; nil if the file cannot be read.
package func textOfFile(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}
