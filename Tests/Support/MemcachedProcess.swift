package import Glibc

/// A memcached process of a test on its own port, which is killed with the object.
///
/// `@unchecked`: used by one test at a time.
package final class MemcachedProcess: @unchecked Sendable {
    package private(set) var port: UInt16 = 0
    package private(set) var id: pid_t = 0

    package init() throws {
        for _ in 0..<5 {  // another process may take the port first
            guard let free = freePort() else { throw NotStarted(reason: "no free port") }
            port = free
            if (try? start()) != nil { return }
            kill()
        }
        throw NotStarted(reason: "memcached does not listen")
    }

    deinit { kill() }

    private struct NotStarted: Error { let reason: String }

    package func start() throws {
        var arguments = ["memcached", "-l", "127.0.0.1", "-p", "\(port)", "-U", "0", "-t", "1", "-m", "16"]
        if getuid() == 0 { arguments += ["-u", "nobody"] }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        guard posix_spawn(&id, "/usr/bin/memcached", &actions, nil, &words, environ) == 0 else {
            throw NotStarted(reason: "no /usr/bin/memcached")
        }
        for _ in 0..<2_000 {
            let isOurs = say("stats").split(whereSeparator: \.isNewline).contains("STAT pid \(id)")
            if isOurs { return }
            if waitpid(id, nil, WNOHANG) == id {
                id = 0
                break
            }
            usleep(1_000)  // until the other process listens
        }
        throw NotStarted(reason: "memcached does not listen")
    }

    package func kill() {
        guard id > 0 else { return }
        Glibc.kill(id, SIGCONT)
        Glibc.kill(id, SIGKILL)
        waitpid(id, nil, 0)
        id = 0
    }

    /// Stops the process: it accepts connections and bytes, but does not respond.
    package func pause() {
        Glibc.kill(id, SIGSTOP)
        waitpid(id, nil, WUNTRACED)
    }

    package func resume() { Glibc.kill(id, SIGCONT) }

    /// A line for each key. memcached reports BUSY while it looks for expired keys.
    package var keyList: String {
        while true {
            let lines = say("lru_crawler metadump all")
            if !lines.hasPrefix("BUSY") { return lines }
        }
    }

    /// Returns one of memcached's statistics; 0 if it is absent.
    package func statistic(_ name: String) -> Int {
        let line = say("stats").split(whereSeparator: \.isNewline).first { $0.hasPrefix("STAT \(name) ") }
        return line.flatMap { Int($0.split(separator: " ")[2]) } ?? 0
    }

    /// Sends a command of the text protocol. Returns the first part of the response.
    package func say(_ command: String) -> String {
        let socket = connected(to: port)
        guard socket >= 0 else { return "" }
        defer { close(socket) }
        var text = command + "\r\n"
        _ = text.withUTF8 { write(socket, $0.baseAddress, $0.count) }
        var room = [UInt8](repeating: 0, count: 65_536)
        let count = read(socket, &room, room.count)
        return String(decoding: room.prefix(max(0, count)), as: UTF8.self)
    }
}

private func connected(to port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port)
    let code = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return -1
}

private func freePort() -> UInt16? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
        }
    }
    return code == 0 ? UInt16(bigEndian: address.sin_port) : nil
}
