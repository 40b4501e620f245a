import Shared

/// A chat whose responses are checked for the tool call or the JSON that the request demands.
final class SchemaCheckedChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let validator: OutputValidator

    init(_ chat: any PreparedChat, _ validator: OutputValidator) {
        self.chat = chat
        self.validator = validator
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let stream = SchemaCheckedStream(try await chat.open(isStreamed: isStreamed, by: attempt), validator)
        do throws(UpstreamError) {
            try await stream.begin(holdingAll: !isStreamed)
            return stream
        } catch {
            var error = error
            // The vendor bills a response that has begun.
            if error.isCut || !isStreamed { error.usage = stream.usage }
            stream.stop()
            throw error
        }
    }
}
