import Engine
import Shared
import Upstream

extension ChatMedia {
    /// The vendor's form of a call, all parts of which have been brought to it.
    func prepare(
        _ call: consuming ChatCall,
        _ caller: Caller,
        _ responder: Responder
    ) async throws(APIError) -> any PreparedChat {
        var call = call
        let texts = call.messages
        let parts = ChatParts(call.parts, self, caller, responder)
        let brought = try await parts.bring()
        guard parts.mayBeLost else {
            call.attach(brought)
            let chat = candidate.provider.prepare(call, for: candidate.model, key: candidate.credential.key)
            try await responder.gateway.write(chat, ofBytes: call.textBytes)
            return chat
        }
        call.messages = texts
        let chat = MediaChat(call, candidate, parts, brought, responder.gateway)
        try await responder.gateway.write(chat, ofBytes: call.textBytes)
        return chat
    }
}

/// A chat that refers to what its vendor was believed to keep: if the vendor refuses it, that is brought once more, and
/// the call made again.
///
/// `@unchecked`: used on its request's loop only, but for `write`.
private final class MediaChat: PreparedChat, @unchecked Sendable {
    private var chat: any PreparedChat
    private let candidate: Registry.Candidate
    private let gateway: Gateway
    /// Nil: nothing more can be done.
    private var rest: (call: ChatCall, parts: ChatParts)?
    private var isRenewing = false
    private var waiting: [Waiter] = []

    init(
        _ call: ChatCall,
        _ candidate: Registry.Candidate,
        _ parts: ChatParts,
        _ brought: [BroughtPart],
        _ gateway: Gateway
    ) {
        self.candidate = candidate
        self.gateway = gateway
        rest = (call, parts)
        var call = call
        call.attach(brought)
        chat = candidate.provider.prepare(call, for: candidate.model, key: candidate.credential.key)
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func answer() async throws(UpstreamError) -> ChatReply {
        let used = chat
        do throws(UpstreamError) {
            let reply = try await used.answer()
            rest = nil
            return reply
        } catch {
            return try await renewed(used, after: error).answer()
        }
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        let used = chat
        do throws(UpstreamError) {
            let stream = try await used.stream()
            rest = nil
            return stream
        } catch {
            return try await renewed(used, after: error).stream()
        }
    }

    /// The chat to try in place of `used`, which is made once, however many choices were refused.
    private func renewed(
        _ used: any PreparedChat,
        after error: UpstreamError
    ) async throws(UpstreamError) -> any PreparedChat {
        guard error.isOfContent else { throw error }
        while isRenewing, !Task.isCancelled {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
        }
        if chat !== used { return chat }
        guard let (call, parts) = rest else { throw error }
        rest = nil
        isRenewing = true
        defer {
            isRenewing = false
            for waiter in waiting { waiter.wake() }
            waiting = []
        }
        do throws(APIError) {
            var call = call
            call.attach(try await parts.bringAgain())
            let renewed = candidate.provider.prepare(call, for: candidate.model, key: candidate.credential.key)
            try await gateway.write(renewed, ofBytes: call.textBytes)
            chat = renewed
            return chat
        } catch let second {
            throw second.status == 499 ? UpstreamError(.cancelled, cause: "cancelled") : error
        }
    }
}
