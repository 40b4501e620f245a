import Engine
import Shared
import Upstream

// The smallest emulation, as CONTRIBUTING.md ("Add an emulation") describes one: a decorator of the prepared chat and of
// its stream.

/// A chat whose text is in capitals, for vendors that cannot shout.
final class LoudChat: PreparedChat, OnLoop, @unchecked Sendable {
    private let chat: any PreparedChat

    init(_ chat: any PreparedChat) { self.chat = chat }

    func write() { chat.write() }
    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        LoudStream(try await chat.open(isStreamed: isStreamed, by: attempt))
    }
}

private final class LoudStream: ChatStream, OnLoop, @unchecked Sendable {
    private let stream: any ChatStream

    init(_ stream: any ChatStream) { self.stream = stream }

    var usage: Usage? { stream.usage }
    var credits: Int? { stream.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        try await stream.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        try stream.next { choice, event in
            guard case .text(let text, _) = event else { return emit(choice, event) }
            let loud = text.map { $0 >= 0x61 && $0 <= 0x7a ? $0 - 0x20 : $0 }
            loud.withUnsafeBytes { emit(choice, .text($0)) }
        }
    }

    func stop() { stream.stop() }
}
