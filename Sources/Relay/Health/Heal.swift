import Glibc
import Shared

/// Tells if the relay of this container answers. One that takes connections but did not answer three times in a row is
/// stuck, and ended; the engine then starts it anew. One that takes no connections is starting or ending, and left alone.
/// Blocks, for nine seconds at most.
func endIfStuck(_ relay: Settings.Address) -> Bool {
    for _ in 1...3 {
        let health = askForHealth(relay)
        guard case .silent = health else { return health.problem == nil }
    }
    for process in stuckRelays() { kill(process, SIGKILL) }
    return false
}

/// The processes that run this program and that process 1, the container's `init`, has started; a command like this one
/// was started from outside.
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

/// The file that the process runs; nil: it is another user's, or gone.
private func programOfProcess(_ name: String) -> [CChar]? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/\(name)/exe", &path, path.count)
    return count > 0 ? Array(path[..<count]) : nil
}

private func parent(of name: String) -> Int? {
    guard let bytes = try? readSettingsFile("/proc/\(name)/stat") else { return nil }
    // The name in parentheses may hold spaces and parentheses; state and parent follow it.
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[end...].split(separator: " ")
    return fields.count > 2 ? Int(fields[2]) : nil
}
