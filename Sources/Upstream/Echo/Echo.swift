package import Engine
package import Shared

/// A vendor that needs no network: it repeats the last message of the user, word by word where streamed. How the relay
/// is tried without a key, and how load tests run.
///
/// The message may begin with orders: `!delay=200` (milliseconds before each piece), `!fail=503` (a status in place of
/// an answer), `!cut=3` (the stream breaks after so many pieces).
///
/// `@unchecked`: used on its loop only.
package final class Echo: ChatProvider, @unchecked Sendable {
    package let name: String
    private let loop: EventLoop

    package init(name: String, loop: EventLoop) {
        self.name = name
        self.loop = loop
    }

    package func prepare(_ call: ChatCall, for model: Model, key: String) -> any PreparedChat {
        var prompt = TokenEstimate()
        for message in call.messages { prompt.add(message.text) }
        let text = call.messages.last { $0.role == .user }?.text ?? ""
        return EchoChat(text, promptTokens: max(1, prompt.tokens), loop)
    }
}

/// `@unchecked`: used on its loop only.
final class EchoChat: PreparedChat, @unchecked Sendable {
    let promptTokens: Int
    private let loop: EventLoop
    private var text: Substring
    private var delayNanoseconds: UInt64 = 0
    private var failure: Int?
    private var cutAfter: Int?

    init(_ message: String, promptTokens: Int, _ loop: EventLoop) {
        self.promptTokens = promptTokens
        self.loop = loop
        text = message[...]
        while text.first == "!", takeOrder() {}
    }

    private func takeOrder() -> Bool {
        let order = text.dropFirst().prefix { $0 != " " }
        let parts = order.split(separator: "=")
        guard parts.count == 2, let value = Int(parts[1]), value >= 0 else { return false }
        switch parts[0] {
        case "delay": delayNanoseconds = UInt64(min(value, 600_000)) * 1_000_000
        case "fail": failure = value
        case "cut": cutAfter = value
        default: return false
        }
        text = text.dropFirst(order.count + 2)
        return true
    }

    func answer() async throws(UpstreamError) -> ChatReply {
        try await begin()
        if cutAfter != nil { throw EchoChat.cut }
        return ChatReply(text: Body(ByteBuffer(String(text))), usage: nil)
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        try await begin()
        return EchoStream(Self.pieces(text), delayNanoseconds, cutAfter, loop)
    }

    private func begin() async throws(UpstreamError) {
        if delayNanoseconds > 0 { await loop.sleep(nanoseconds: delayNanoseconds) }
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        guard let failure else { return }
        let kind: UpstreamError.Kind =
            switch failure {
            case 401: .badKey
            case 403: .forbidden
            case 429: .rateLimited
            case 503: .unavailable
            case 504: .timedOut
            case 400..<500: .badRequest
            default: .failed
            }
        throw UpstreamError(kind, message: "the echo was told to fail", cause: "the echo was told to fail")
    }

    fileprivate static var cut: UpstreamError {
        var error = UpstreamError(.failed, cause: "the echo was told to break")
        error.isCut = true
        return error
    }

    /// Words, each with the spaces before it.
    private static func pieces(_ text: Substring) -> [Substring] {
        var pieces: [Substring] = []
        var rest = text
        while !rest.isEmpty {
            let spaces = rest.prefix { $0 == " " }
            let word = rest.dropFirst(spaces.count).prefix { $0 != " " }
            let piece = rest.prefix(spaces.count + word.count)
            pieces.append(piece)
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}

/// `@unchecked`: used on its loop only.
private final class EchoStream: ChatStream, @unchecked Sendable {
    private var pieces: [Substring]
    private var sent = 0
    private var ready = 0
    private let delayNanoseconds: UInt64
    private let cutAfter: Int?
    private let loop: EventLoop
    let usage: Usage? = nil
    let credits: Int? = nil

    init(_ pieces: [Substring], _ delayNanoseconds: UInt64, _ cutAfter: Int?, _ loop: EventLoop) {
        self.pieces = pieces
        self.delayNanoseconds = delayNanoseconds
        self.cutAfter = cutAfter
        self.loop = loop
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        if let cutAfter, sent >= cutAfter { throw EchoChat.cut }
        guard sent < pieces.count else { return .end }
        if delayNanoseconds > 0, sent > 0 { await loop.sleep(nanoseconds: delayNanoseconds) }
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        ready = delayNanoseconds > 0 ? sent + 1 : pieces.count
        if let cutAfter { ready = min(ready, cutAfter) }
        return .bytes
    }

    func next(_ piece: (UnsafeRawBufferPointer) -> Void) throws(UpstreamError) -> Bool {
        guard sent < ready else { return false }
        var text = String(pieces[sent])
        sent += 1
        text.withUTF8 { piece(UnsafeRawBufferPointer($0)) }
        return true
    }

    func stop() { pieces = [] }
}
