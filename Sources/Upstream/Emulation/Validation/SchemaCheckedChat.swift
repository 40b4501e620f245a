import Calls
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
    var isBilled: Bool { chat.isBilled }

    func response() async throws(UpstreamError) -> ChatResponse {
        var response = try await chat.response()
        do throws(UpstreamError) {
            for index in response.choices.indices {
                if let text = try await validator.text(of: response.choices[index]) {
                    response.choices[index].text = text
                }
            }
            return response
        } catch {
            var error = error
            error.usage = response.usage
            throw error
        }
    }

    func stream() async throws(UpstreamError) -> any ChatResponseStream {
        let stream = SchemaCheckedStream(try await chat.stream(), validator)
        do throws(UpstreamError) {
            try await stream.begin()
            return stream
        } catch {
            var error = error
            // The vendor bills a response that has begun.
            if error.isCut { error.usage = stream.usage }
            stream.stop()
            throw error
        }
    }
}
