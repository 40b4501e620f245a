import Engine
import Shared
import Upstream

/// A writer of a streamed response as plain text. If the response fails after its first byte, the connection is closed.
final class LLMText: BatchWriter, OnLoop, @unchecked Sendable {
    let exchange: Exchange
    var out = ByteBuffer()

    init(_ exchange: Exchange) { self.exchange = exchange }

    func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _), .refusal(let text):
            begin()
            makeRoom()
            out.append(text)
        default: break
        }
    }

    private func begin() {
        if !exchange.hasBegun { exchange.beginBytes(type: "text/plain; charset=utf-8") }
    }

    /// Does nothing: a keep-alive byte in plain text would look like generated text to the client.
    func ping() {}

    func end(_ usage: Usage) async {
        begin()
        sendEnd()
    }
}

/// A writer of a streamed response as events: `{"content":"..."}` for text, and tool calls.
final class LLMEvents: BatchWriter, OnLoop, @unchecked Sendable {
    let exchange: Exchange
    var out = ByteBuffer()

    init(_ exchange: Exchange) { self.exchange = exchange }

    func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _), .refusal(let text):
            open(#"{"content":"#)
            out.append(json: text)
            out.append("}\n\n")
        case .toolCall(let index, let id, let name):
            open(#"{"tool_calls":[{"index":"#)
            out.append(decimal: index)
            out.append(#","id":"#, json: id)
            out.append(#","type":"function","function":{"name":"#, json: name, ",\"arguments\":\"\"}}]}\n\n")
        case .toolArguments(let index, let text):
            open(#"{"tool_calls":[{"index":"#)
            out.append(decimal: index)
            out.append(#","function":{"arguments":"#, json: text, "}}]}\n\n")
        case .reasoning, .finish, .signature, .encryptedReasoning, .message, .annotation, .comment, .native: break
        }
    }

    private func open(_ beginning: StaticString) {
        beginHead()
        makeRoom()
        out.append("data: ")
        out.append(beginning)
    }

    func ping() {
        beginHead()
        out.append(": ping\n\n")
    }

    func end(_ usage: Usage) async {
        beginHead()
        out.append("data: [DONE]\n\n")
        sendEnd()
    }
}
