import Glibc
import Shared

/// What a relay on this machine says when it is asked for its health.
enum Health {
    case serves
    /// It takes no connections: it is not there, starting or ending.
    case unreachable
    /// It took the connection, and did not answer within three seconds.
    case silent
    /// It answered something else.
    case other
}

/// Asks the relay that has these settings for `GET /health`. Blocks, for three seconds at most.
func askForHealth(_ settings: Settings) -> Health {
    let isWildcard = settings.host == "0.0.0.0" || settings.host == "::"
    let host = isWildcard ? "127.0.0.1" : settings.host
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(settings.port), &hints, &found) == 0, let address = found?.pointee else {
        return .unreachable
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(address.ai_family, address.ai_socktype, 0)
    guard descriptor >= 0 else { return .unreachable }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 3, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else {
        // Its queue of connections is full (`SO_SNDTIMEO` bounds the wait): nobody takes them.
        return errno == EINPROGRESS || errno == EAGAIN ? .silent : .unreachable
    }
    let request = Array("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return .silent }
    let expected = Array("HTTP/1.1 200 ".utf8)
    var answer = [UInt8](repeating: 0, count: expected.count)
    let count = recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
    if count < 0, errno == EAGAIN { return .silent }
    return count == expected.count && answer == expected ? .serves : .other
}
