import Glibc
import Shared

/// A memcached of a test's own on a port of its own; killed with the object.
///
/// `@unchecked`: used by one test at a time.
final class MemcachedProcess: @unchecked Sendable {
    private(set) var port: UInt16 = 0
    private(set) var id: pid_t = 0

    init() throws {
        for _ in 0..<5 {  // somebody else may take the port first
            port = try freePort()
            if (try? start()) != nil { return }
            kill()
        }
        throw StoreFailure(reason: "memcached does not listen")
    }

    deinit { kill() }

    var address: MemcachedAddress { MemcachedAddress(host: "127.0.0.1", port: port) }

    func start() throws {
        var arguments = ["memcached", "-l", "127.0.0.1", "-p", "\(port)", "-U", "0", "-t", "1", "-m", "16"]
        if getuid() == 0 { arguments += ["-u", "nobody"] }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        guard posix_spawn(&id, "/usr/bin/memcached", &actions, nil, &words, environ) == 0 else {
            throw StoreFailure(reason: "no /usr/bin/memcached")
        }
        for _ in 0..<5_000 {
            if say("stats").contains("STAT pid \(id)\r") { return }
            if waitpid(id, nil, WNOHANG) == id {
                id = 0
                break
            }
            usleep(1_000)  // until the other process listens
        }
        throw StoreFailure(reason: "memcached does not listen")
    }

    func kill() {
        guard id > 0 else { return }
        Glibc.kill(id, SIGCONT)
        Glibc.kill(id, SIGKILL)
        waitpid(id, nil, 0)
        id = 0
    }

    /// Takes connections and bytes, but answers nothing.
    func pause() {
        Glibc.kill(id, SIGSTOP)
        waitpid(id, nil, WUNTRACED)
    }

    func resume() { Glibc.kill(id, SIGCONT) }

    /// Sends a command of the text protocol and returns what comes back at once.
    func say(_ command: String) -> String {
        let socket = connectedSocket(port)
        guard socket >= 0 else { return "" }
        defer { close(socket) }
        var text = command + "\r\n"
        _ = text.withUTF8 { write(socket, $0.baseAddress, $0.count) }
        var room = [UInt8](repeating: 0, count: 65_536)
        let count = read(socket, &room, room.count)
        return String(decoding: room.prefix(max(0, count)), as: UTF8.self)
    }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

private func connectedSocket(_ port: UInt16) -> Int32 {
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

func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
        }
    }
    guard code == 0 else { throw StoreFailure(reason: "no free port") }
    return UInt16(bigEndian: address.sin_port)
}
