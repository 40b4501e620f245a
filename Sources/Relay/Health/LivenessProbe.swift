import Glibc
import Shared

/// Returns whether the relay of this container is healthy, and kills it if it is stuck. It is stuck if it accepts
/// connections but does not respond three times in a row; the container engine then restarts it. A relay that accepts
/// no connections is starting or ending, and is not killed. Blocks for at most nine seconds.
func killIfStuck(_ relay: Settings.Address) -> Bool {
    for _ in 1...3 {
        let health = checkHealth(relay)
        guard case .silent = health else { return health.problem == nil }
    }
    for process in stuckRelays() { kill(process, SIGKILL) }
    return false
}

/// Returns the processes that run this program and whose parent is process 1, the container's `init`. A command such as
/// this one was started from outside, so it is not among them.
private func stuckRelays() -> [pid_t] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    let program = programOfProcess("self")
    var found: [pid_t] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard let process = pid_t(name), process != getpid() else { continue }
        if let program, programOfProcess(name) == program, parent(of: name) == 1 { found.append(process) }
    }
    return found
}

/// Returns the path of the file that a process runs; nil if the process belongs to another user or has ended.
private func programOfProcess(_ name: String) -> [CChar]? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/\(name)/exe", &path, path.count)
    return count > 0 ? Array(path[..<count]) : nil
}

private func parent(of name: String) -> Int? {
    guard let bytes = try? readSettingsFile("/proc/\(name)/stat") else { return nil }
    // The name in parentheses may contain spaces and parentheses. The state and the parent follow it.
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[end...].split(separator: " ")
    return fields.count > 2 ? Int(fields[2]) : nil
}
