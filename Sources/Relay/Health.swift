import Glibc
import Shared

/// What keeps a relay on this machine from answering.
struct HealthProblem {
    let text: String
    /// It has the connection, or lets it wait, and did not answer in time: neither starting nor ending, but stuck.
    let isSilent: Bool

    fileprivate init(_ text: String, isSilent: Bool = false) {
        self.text = text
        self.isSilent = isSilent
    }
}

/// Why no relay with these settings answers `GET /health` on this machine with 200 within three seconds; nil: one does.
/// Blocks.
func healthProblem(_ settings: Settings) -> HealthProblem? {
    let isWildcard = settings.host == "0.0.0.0" || settings.host == "::"
    let host = isWildcard ? "127.0.0.1" : settings.host
    let place = "\(host.contains(":") ? "[\(host)]" : host):\(settings.port)"
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(settings.port), &hints, &found) == 0, let address = found?.pointee else {
        return HealthProblem("\(place) is no address")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(address.ai_family, address.ai_socktype, 0)
    guard descriptor >= 0 else { return HealthProblem("no socket: \(lastError())") }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 3, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else {
        let hint = errno == ECONNREFUSED ? "; does a relay run there, with this HOST and PORT?" : ""
        return HealthProblem("cannot connect to \(place): \(lastError())\(hint)", isSilent: isTimeOver)
    }
    let request = Array("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
    guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        return HealthProblem("\(place) takes no request: \(lastError())", isSilent: isTimeOver)
    }
    var answer = [UInt8](repeating: 0, count: "HTTP/1.1 200 ".utf8.count)
    let count = recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
    guard count != 0 else { return HealthProblem("\(place) does not answer: it closes the connection") }
    guard count > 0 else { return HealthProblem("\(place) does not answer: \(lastError())", isSilent: isTimeOver) }
    let text = String(decoding: answer[..<count].prefix { $0 >= 32 && $0 < 127 }, as: UTF8.self)
    if text == "HTTP/1.1 200 " { return nil }
    guard count == answer.count, text.hasPrefix("HTTP/1.") else {
        return HealthProblem("what answers at \(place) is no relay")
    }
    return HealthProblem("\(place) answers with status \(text.dropFirst(9).prefix(3))")
}

/// A limit of time on a socket ends in what a socket says that never waits.
private var isTimeOver: Bool { errno == EAGAIN || errno == EINPROGRESS }

private func lastError() -> String {
    isTimeOver ? "not within 3 seconds" : String(cString: strerror(errno))
}
