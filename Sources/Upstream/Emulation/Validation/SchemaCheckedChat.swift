import Calls
import Shared

/// A chat whose responses are validated against the demands of the request, for a vendor that accepts the demands but
/// does not guarantee them.
final class SchemaCheckedChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let judge: OutputValidator

    init(_ chat: any PreparedChat, _ judge: OutputValidator) {
        self.chat = chat
        self.judge = judge
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }
    var isBilled: Bool { chat.isBilled }

    func answer() async throws(UpstreamError) -> ChatAnswer {
        var answer = try await chat.answer()
        do throws(UpstreamError) {
            for index in answer.choices.indices {
                if let text = try await judge.text(of: answer.choices[index]) { answer.choices[index].text = text }
            }
            return answer
        } catch {
            var error = error
            error.usage = answer.usage
            throw error
        }
    }

    func stream() async throws(UpstreamError) -> any ChatAnswerStream {
        let stream = SchemaCheckedStream(try await chat.stream(), judge)
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
