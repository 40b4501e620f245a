package import Engine
package import Shared

/// A vendor without network: it repeats the user's last message, one word per chunk.
///
/// The message can begin with commands: `!delay=200` waits 200 ms before each chunk, `!fail=503` fails like a vendor
/// with this status, `!cut=3` breaks the stream after three chunks, and `!think=2` sends the first two words as signed
/// reasoning.
package final class Echo: ChatVendor, OnLoop, @unchecked Sendable {
    package let name: String
    private let loop: EventLoop

    package init(name: String, loop: EventLoop) {
        self.name = name
        self.loop = loop
    }

    package let wires: [Wire] = []

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { [] }

    package func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        EchoChat(call.messages, loop)
    }
}

/// One chat call to the vendor `Echo`.
///
/// `@unchecked`: used on its event loop only, except for `write`.
final class EchoChat: PreparedChat, @unchecked Sendable {
    private let loop: EventLoop
    /// The messages of the request; nil once `write` has run.
    private var messages: [ChatMessage]?
    private var countedTokens = 0
    private var message = Body(ByteBuffer())
    /// The index of the first byte of the message after its commands, such as `!delay=200`.
    private var start = 0
    private var delayNanoseconds: UInt64 = 0
    private var failure: Int?
    private var cutAfter: Int?
    /// The number of words at the start of the message that are sent as reasoning.
    private var reasoningWords = 0

    init(_ messages: [ChatMessage], _ loop: EventLoop) {
        self.messages = messages
        self.loop = loop
    }

    func write() {
        guard let messages else { return }
        self.messages = nil
        var prompt = TokenEstimate()
        for message in messages { message.forEachText { prompt.add($0) } }
        countedTokens = max(1, prompt.tokens)
        message = Body(ByteBuffer(messages.last { $0.role == .user }?.text ?? ""))
        while readOrder() {}
    }

    var promptTokens: Int {
        write()
        return countedTokens
    }

    private func readOrder() -> Bool {
        let rest = message.bytes[part: start..<message.bytes.count]
        guard rest.first == UInt8(ascii: "!") else { return false }
        let order = rest[part: 1..<(rest.prefix(Self.orderLimitBytes).firstIndex(of: 32) ?? rest.count)]
        guard order.count < Self.orderLimitBytes, let sign = order.first(UInt8(ascii: "=")),
            let value = Int(order[part: (sign + 1)..<order.count].text), value >= 0
        else { return false }
        switch order[part: 0..<sign] {
        case "delay": delayNanoseconds = UInt64(min(value, 600_000)) * 1_000_000
        case "fail": failure = value
        case "cut": cutAfter = value
        case "think": reasoningWords = value
        default: return false
        }
        start = min(start + order.count + 2, message.bytes.count)
        return true
    }

    private static let orderLimitBytes = 64

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        write()
        try await begin()
        if !isStreamed, cutAfter != nil { throw EchoChat.cut }
        let pace = EchoStream.Pace(
            delayNanoseconds: isStreamed ? delayNanoseconds : 0,
            cutAfter: cutAfter,
            reasoningWords: reasoningWords
        )
        return EchoStream(message, from: start, pace, loop: loop)
    }

    fileprivate static let signature = "signed by echo"

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
}

/// The response stream of the vendor `Echo`: one word per chunk.
private final class EchoStream: ChatStream, OnLoop, @unchecked Sendable {
    private var message: Body?
    private var offset: Int
    /// The number of chunks sent so far.
    private var sent = 0
    private var ready = 0
    private let pace: Pace
    private let loop: EventLoop
    let usage: Usage? = nil
    let credits: Int? = nil

    struct Pace {
        let delayNanoseconds: UInt64
        let cutAfter: Int?
        let reasoningWords: Int
    }

    init(_ message: Body, from offset: Int, _ pace: Pace, loop: EventLoop) {
        self.message = message
        self.offset = offset
        self.pace = pace
        self.loop = loop
    }

    private var isAtEnd: Bool { offset >= message?.bytes.count ?? 0 }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        if let end = pace.cutAfter, sent >= end { throw EchoChat.cut }
        guard !isAtEnd else { return .end }
        if pace.delayNanoseconds > 0, sent > 0 { await loop.sleep(nanoseconds: pace.delayNanoseconds) }
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        ready = pace.delayNanoseconds > 0 ? sent + 1 : .max
        if let end = pace.cutAfter { ready = min(ready, end) }
        return .bytes
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard sent < ready, !isAtEnd, let bytes = message?.bytes else { return false }
        let start = offset
        offset += bytes[part: offset..<bytes.count].endOfWords(1)
        sent += 1
        StepCount.add(offset - start)
        let word = bytes[part: start..<offset]
        emit(0, sent <= pace.reasoningWords ? .reasoning(word) : .text(word))
        if sent == pace.reasoningWords { EchoChat.signature.withBytes { emit(0, .signature(call: nil, $0)) } }
        if isAtEnd { emit(0, .finish(.stop, stop: nil)) }
        return true
    }

    func stop() { message = nil }
}

extension UnsafeRawBufferPointer {
    /// Returns the index after the first `count` words. Words are separated by spaces.
    fileprivate func endOfWords(_ count: Int) -> Int {
        var offset = 0
        for _ in 0..<count {
            guard offset < self.count else { break }
            while offset < self.count, self[offset] == 32 { offset += 1 }
            while offset < self.count, self[offset] != 32 { offset += 1 }
        }
        return offset
    }
}
