import Engine
import Shared
import Upstream

@testable import Routes

/// A surface of its own for tests, with a question in JSON and a response in lines of plain text.
struct LinesSurface: ChatSurface, ChatResponseFormatter {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        body.append("error: \(error.message)\n")
    }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        guard let question = root["ask"]?.string else { throw .missing("ask") }
        var call = ChatCall()
        call.model = "m"
        call.messages = [ChatMessage(role: .user, text: question)]
        call.choices = root["answers"]?.integer.map { Int($0) } ?? 1
        call.isStreamed = root["now"]?.flag ?? false
        if call.choices > 1 { call.needs.insert(.choices) }
        return ChatRequest(call, self)
    }

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter { LinesWriter(exchange) }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        var body = ByteBuffer()
        for (index, choice) in response.choices.enumerated() {
            if let reasoningBlock = choice.reasoning { body.append("\(index) thinks: \(reasoningBlock.text)\n") }
            if let text = choice.text { body.append("\(index) says: \(text.text)\n") }
            for call in choice.toolCalls { body.append("\(index) calls: \(call.name) \(call.arguments)\n") }
        }
        exchange.send(json: body)
    }
}

/// A writer of lines.
///
/// `@unchecked`: used on its request's loop only.
private final class LinesWriter: ChatStreamWriter, @unchecked Sendable {
    private let exchange: Exchange
    private var out = ByteBuffer()
    let isFull = false

    init(_ exchange: Exchange) {
        self.exchange = exchange
        exchange.beginEvents()
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .reasoning(let text): out.append("\(choice) thinks: \(text.text)\n")
        case .text(let text, _): out.append("\(choice) says: \(text.text)\n")
        case .toolCall(_, _, let name): out.append("\(choice) calls: \(name.text)")
        case .toolArguments(_, let text): out.append(" \(text.text)\n")
        case .finish(let reason, _): out.append("\(choice) ends: \(reason)\n")
        case .refusal, .signature, .encryptedReasoning, .message, .annotation, .comment, .native: break
        }
    }

    func ping() {}

    func flush() {
        exchange.writer.write(out)
        out.removeAll()
    }

    func end(_ usage: Usage) async {
        flush()
        exchange.writer.end()
    }
}
