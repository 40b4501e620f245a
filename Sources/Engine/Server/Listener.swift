import CLinux
import Glibc

/// Functions that open the listening sockets of the server. Each loop has its own socket on the same port.
package enum Listener {
    package struct Failure: Error {
        package let reason: String

        package init(reason: String) { self.reason = reason }
    }

    /// The names of the settings of an address, for messages.
    package typealias Names = (host: String, port: String)

    /// Opens `count` listening sockets. Throws if this fails.
    package static func open(
        host: String,
        port: Int,
        count: Int,
        _ names: Names = ("HOST", "PORT")
    ) throws(Failure) -> [Int32] {
        var found: UnsafeMutablePointer<addrinfo>?
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = relay_stream_type
        hints.ai_flags = AI_PASSIVE
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0, let address = found else {
            throw Failure(
                reason:
                    "\(names.host) \(host) is not an address of this machine: \(String(cString: gai_strerror(code)))"
            )
        }
        defer { freeaddrinfo(found) }
        close(try bound(address, host, port: port, names, isShared: false))
        var listeners: [Int32] = []
        for _ in 0..<count {
            let listener = try bound(address, host, port: port, names, isShared: true)
            // Connections inherit this from their listener. By default the kernel buffers up to 6 MB of a client's
            // data.
            var most: Int32 = 262_144
            setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &most, 4)
            guard listen(listener, 4096) == 0 else { throw failure(host, port, names) }
            listeners.append(listener)
        }
        return listeners
    }

    private static func bound(
        _ address: UnsafeMutablePointer<addrinfo>,
        _ host: String,
        port: Int,
        _ names: Names,
        isShared: Bool
    ) throws(Failure) -> Int32 {
        let listener = relay_stream_socket(address.pointee.ai_family)
        guard listener >= 0 else { throw failure(host, port, names) }
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if isShared { setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, 4) }
        guard bind(listener, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            defer { close(listener) }
            throw failure(host, port, names)
        }
        return listener
    }

    private static func failure(_ host: String, _ port: Int, _ names: Names) -> Failure {
        let advice =
            switch errno {
            case EADDRINUSE:
                "; set \(names.port) to a free port, or stop the program that uses it (`ss -ltnp` shows which)"
            case EACCES: "; set \(names.port) to 1024 or more, lower ones need CAP_NET_BIND_SERVICE"
            case EADDRNOTAVAIL: "; set \(names.host) to an address of this machine, or to 0.0.0.0 for all"
            default: ""
            }
        return Failure(reason: "cannot listen on \(host) port \(port): \(systemError)\(advice)")
    }
}
