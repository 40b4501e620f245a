import Support
import Testing
import Upstream

@testable import Engine
@testable import Shared

/// A step of a scripted provider in one call.
enum CallStep: Sendable, Equatable {
    /// The call goes no further until the test calls `goOn()`.
    case wait
    /// The head of a response with the status 200. Without it, the head comes with the first text.
    case head
    case text(String)
    /// A refusal with a status, an error message and an error code.
    case refuse(Int, String, code: String = "some_code")
    /// A whole response with a status and this JSON.
    case answer(Int, String)
    /// The connection breaks.
    case breakOff
}

/// A provider with OpenAI's API whose calls follow scripts: one for each call, and then plain responses.
///
/// `@unchecked`: used on one loop only.
final class ScriptedProvider: Transport, @unchecked Sendable {
    let name: String
    private let loop: EventLoop
    private var scripts: [[CallStep]] = []
    private(set) var calls: [ScriptedCall] = []
    /// Called when the provider has refused a call.
    var refused: () -> Void = {}

    init(_ name: String, on loop: EventLoop) {
        self.name = name
        self.loop = loop
    }

    /// Sets the scripts of the next calls.
    func follow(_ scripts: [CallStep]...) { self.scripts = scripts }

    var keys: [String] { calls.map(\.key) }
    var endings: [ScriptedCall.Ending?] { calls.map(\.ending) }

    /// Ends the wait of the first call that waits.
    func goOn(at location: SourceLocation = #_sourceLocation) {
        guard let waiting = calls.first(where: \.isWaiting) else {
            Issue.record("no call of \(name) waits", sourceLocation: location)
            return
        }
        waiting.goOn()
    }

    private func call(_ call: UpstreamCall) -> ScriptedCall {
        let script = scripts.isEmpty ? [.text("from \(name)")] : scripts.removeFirst()
        let new = ScriptedCall(call, script, on: loop) { [weak self] in self?.refused() }
        calls.append(new)
        return new
    }

    func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
        try await self.call(call).whole()
    }

    func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
        let call = self.call(call)
        try await call.begin()
        return call
    }

    func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?
    ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
}

/// One call to a scripted provider. Like a real transfer, it ends at its deadline and when its task is cancelled.
///
/// `@unchecked`: used on one loop only.
final class ScriptedCall: UpstreamStream, TimerTarget, @unchecked Sendable {
    enum Ending: Sendable {
        /// The whole response was read.
        case complete
        /// The provider refused the request, or the connection failed.
        case failed
        /// The relay ended the call before its response was complete.
        case dropped
    }

    /// The usage that each complete response reports.
    static let usage = #"{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}"#

    let key: String
    let body: String
    private(set) var head = UpstreamHead(status: 200, isEventStream: true, retryAfterSeconds: nil)
    /// The way in which the call ended; nil while it runs.
    private(set) var ending: Ending?
    private let loop: EventLoop
    private let deadline: (any ResponseDeadline)?
    private let refused: () -> Void
    private var steps: [CallStep]
    private var received = ByteBuffer()
    private var isOver = false
    private let waiter = Waiter()
    private lazy var timer = Timer(self)

    fileprivate init(_ call: UpstreamCall, _ script: [CallStep], on loop: EventLoop, refused: @escaping () -> Void) {
        self.refused = refused
        let lines = String(decoding: call.headers.lines, as: UTF8.self).split(separator: "\r\n")
        key = lines.first { $0.hasPrefix("Authorization: Bearer ") }.map { String($0.dropFirst(22)) } ?? ""
        body = call.body?.text ?? ""
        deadline = call.deadline
        steps = script.reversed()
        self.loop = loop
    }

    fileprivate var isWaiting: Bool { ending == nil && steps.last == .wait }

    fileprivate func goOn() {
        steps.removeLast()
        waiter.wake()
    }

    func timerFired() { waiter.wake() }

    private func end(_ ending: Ending) { self.ending = self.ending ?? ending }

    private func failure(_ kind: TransportError.Kind) -> TransportError {
        end(kind == .cancelled || kind == .late ? .dropped : .failed)
        return TransportError(kind)
    }

    /// Waits as long as the script says. Returns false if that is longer than the reader wants to wait.
    private func waits(until end: LoopTime) async throws(TransportError) -> Bool {
        while true {
            if Task.isCancelled { throw failure(.cancelled) }
            guard steps.last == .wait else { return true }
            let latest = deadline?.endsAt ?? .distantFuture
            if loop.now >= latest { throw failure(.late) }
            if loop.now >= end { return false }
            loop.arm(timer, at: min(end, latest))
            await waiter.wait()
            loop.remove(timer)
        }
    }

    /// Waits until the head of the response is there.
    fileprivate func begin() async throws(TransportError) {
        _ = try await waits(until: .distantFuture)
        switch steps.last {
        case .head: steps.removeLast()
        case .refuse(let status, let message, let code):
            head = UpstreamHead(status: status, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
            received.append(#"{"error":{"message":"\#(message)","type":"some_error","code":"\#(code)"}}"#)
            end(.failed)
            isOver = true
            refused()
        case .answer(let status, let json):
            head = UpstreamHead(status: status, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
            received.append(json)
            end(status < 400 ? .complete : .failed)
            isOver = true
        case .breakOff: throw failure(.broken)
        default: break
        }
    }

    fileprivate func whole() async throws(TransportError) -> UpstreamResponse {
        try await begin()
        guard !isOver else { return UpstreamResponse(head: head, body: Body(copying: received.bytes)) }
        var text = ""
        while try await waits(until: .distantFuture), let step = steps.popLast() {
            switch step {
            case .text(let more): text += more
            case .breakOff: throw failure(.broken)
            default: preconditionFailure("\(step) in a response that has begun")
            }
        }
        end(.complete)
        let response = """
            {"id":"r","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":\
            {"role":"assistant","content":"\(text)"},"finish_reason":"stop"}],"usage":\(Self.usage)}
            """
        let head = UpstreamHead(status: 200, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
        return UpstreamResponse(head: head, body: Body(ByteBuffer(response)))
    }

    func more(patienceNanoseconds: UInt64) async throws(TransportError) -> Arrival {
        if !received.isEmpty { return .bytes }
        if isOver { return .end }
        guard try await waits(until: loop.now + patienceNanoseconds) else { return .silence }
        switch steps.popLast() {
        case .text(let text): event(#""choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":null}]"#)
        case .breakOff: throw failure(.broken)
        case nil:
            event(#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#)
            event(#""choices":[],"usage":\#(Self.usage)"#)
            received.append("data: [DONE]\n\n")
            isOver = true
        case let step?: preconditionFailure("\(step) in a response that has begun")
        }
        return .bytes
    }

    private func event(_ members: String) {
        received.append(#"data: {"id":"r","object":"chat.completion.chunk","created":1,"model":"m",\#(members)}"#)
        received.append("\n\n")
    }

    func receive(into buffer: inout ByteBuffer) {
        buffer.append(received.bytes)
        received.removeAll()
    }

    func stop(isComplete: Bool) { end(isComplete || isOver && received.isEmpty ? .complete : .dropped) }
}
