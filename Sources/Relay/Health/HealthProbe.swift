import Engine
import Glibc
import Shared

/// The health of a relay on this machine, with a description if the relay is unhealthy.
enum Health {
    case serves
    /// A connection to the relay failed at once.
    case unreachable(String)
    /// A program listens on the relay's port, but did not accept the connection or respond within three seconds.
    case silent(String)
    /// The relay's response is not an HTTP 200, or the connection was closed before a response.
    case other(String)

    /// The description of the problem; nil if the relay is healthy.
    var problem: String? {
        switch self {
        case .serves: nil
        case .unreachable(let text), .silent(let text), .other(let text): text
        }
    }
}

/// Sends `GET /health` to the relay and returns its health. Each step waits for at most three seconds.
func checkHealth(_ relay: Settings.Address) -> Health {
    let isWildcard = relay.host == "0.0.0.0" || relay.host == "::"
    let host = isWildcard ? "127.0.0.1" : relay.host
    let address = "\(host.contains(":") ? "[\(host)]" : host):\(relay.port)"
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(relay.port), &hints, &found) == 0, let socketAddress = found?.pointee else {
        return .unreachable("\(address) is not an address")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(socketAddress.ai_family, socketAddress.ai_socktype, 0)
    guard descriptor >= 0 else { return .unreachable("no socket: \(systemError)") }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 3, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor, socketAddress.ai_addr, socketAddress.ai_addrlen) == 0 else {
        // The queue of connections is full, so nobody accepts them. `SO_SNDTIMEO` bounds the wait.
        if errno == EINPROGRESS || errno == EAGAIN { return .silent("no server accepts connections at \(address)") }
        let hint = errno == ECONNREFUSED ? "; check that the relay runs with this HOST and PORT" : ""
        return .unreachable("cannot connect to \(address): \(systemError)\(hint)")
    }
    let request = Array("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        return .silent("cannot send the request to \(address): \(systemError)")
    }
    return response(descriptor, address)
}

private func response(_ descriptor: Int32, _ address: String) -> Health {
    var bytes = [UInt8](repeating: 0, count: "HTTP/1.1 200 ".utf8.count)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_WAITALL))
    if count < 0, errno == EAGAIN { return .silent("\(address) did not respond within 3 seconds") }
    guard count > 0 else {
        return .other("\(address) did not respond: \(count == 0 ? "it closed the connection" : systemError)")
    }
    let text = String(decoding: bytes[..<count].prefix { $0 >= 32 && $0 < 127 }, as: UTF8.self)
    if text == "HTTP/1.1 200 " { return .serves }
    guard count == bytes.count, text.hasPrefix("HTTP/1.") else {
        return .other("the server at \(address) is not a relay")
    }
    return .other("\(address) returned status \(text.dropFirst(9).prefix(3))")
}

/// Returns whether this container's relay is healthy. Kills the relay if it listens but does not respond in three
/// checks in a row.
func killIfStuck(_ relay: Settings.Address) -> Bool {
    for _ in 1...3 {
        let health = checkHealth(relay)
        guard case .silent = health else { return health.problem == nil }
    }
    for process in RelayProcess.all where process.parent == 1 { kill(process.id, SIGKILL) }
    return false
}
