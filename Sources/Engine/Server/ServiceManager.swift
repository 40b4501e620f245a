import CLinux
import Glibc

/// The service manager that started this process, such as systemd. It learns from messages of the process whether the
/// relay is ready, reloads its settings or stops.
///
/// The messages are those of sd_notify(3).
package struct ServiceManager: Sendable {
    package enum State: Sendable {
        case ready
        case reloading
        case stopping

        var message: String {
            switch self {
            case .ready: "READY=1"
            case .reloading:
                "RELOADING=1\nMONOTONIC_USEC=\(LoopTime.current().nanoseconds(since: .distantPast) / 1_000)"
            case .stopping: "STOPPING=1"
            }
        }
    }

    /// The service manager of this process. The environment variable `NOTIFY_SOCKET` names its socket.
    package static let ofProcess = ServiceManager(socket: getenv("NOTIFY_SOCKET").map { String(cString: $0) })

    private let socket: String?

    /// - Parameter socket: the path of the service manager's socket, or `@` and its name in the abstract namespace; nil
    ///   without a service manager.
    init(socket: String?) { self.socket = socket }

    /// Reports a state of the process. Does nothing without a service manager. May block while the socket is full.
    /// - Returns: the reason why the report could not be sent; nil if it was sent, or if there is no service manager.
    @discardableResult
    package func report(_ state: State) -> String? {
        guard let socket, !socket.isEmpty else { return nil }
        guard let (place, length) = Self.address(of: socket) else { return "NOTIFY_SOCKET is not a valid path" }
        let descriptor = relay_datagram_socket()
        guard descriptor >= 0 else { return systemError }
        defer { close(descriptor) }
        let isSent = withUnsafePointer(to: place) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                state.message.withBytes { sendto(descriptor, $0.baseAddress, $0.count, 0, address, length) >= 0 }
            }
        }
        return isSent ? nil : systemError
    }

    /// Returns the address of the socket, and its length in bytes; nil if the path is neither absolute nor abstract, or
    /// too long.
    private static func address(of socket: String) -> (sockaddr_un, socklen_t)? {
        var address = sockaddr_un()
        let name = Array(socket.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        guard isAbstract || name.first == UInt8(ascii: "/"), name.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            path.copyBytes(from: name)
            if isAbstract { path[0] = 0 }
        }
        // A path ends with a zero byte; in an abstract name that byte would count.
        let length = MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1)
        return (address, socklen_t(length))
    }
}
