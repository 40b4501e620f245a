import Glibc
import Shared

/// Returns whether this container's relay is healthy. Kills the relay if it listens but does not respond in three
/// checks in a row.
func killIfStuck(_ relay: Settings.Address) -> Bool {
    for _ in 1...3 {
        let health = checkHealth(relay)
        guard case .silent = health else { return health.problem == nil }
    }
    for process in stuckRelays() { kill(process, SIGKILL) }
    return false
}

/// Returns the ids of the relay processes whose parent is process 1, except this process.
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

/// Returns the path of a process's executable file; nil if the process is another user's or has ended.
///
/// - Parameter name: the process ID as text, or `self`.
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
