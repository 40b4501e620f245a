import Engine
import Shared
import Upstream

final class TextChunks: BatchWriter, OnLoop, @unchecked Sendable {
    let exchange: Exchange
    private let formatter: TextCompletion
    private let includesUsage: Bool
    /// The bytes that all chunks begin with, up to the member `choices`.
    private var beginning = ByteBuffer()
    var out = ByteBuffer()

    init(_ formatter: TextCompletion, _ wanted: FormatterOptions, exchange: Exchange) {
        self.exchange = exchange
        self.formatter = formatter
        includesUsage = wanted.includesUsage
        beginning.append("data: ")
        TextCompletion.append(beginning: wanted.model, exchange, to: &beginning)
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _), .refusal(let text): add(text, to: choice, nil)
        case .finish(let reason, _): add(UnsafeRawBufferPointer(start: nil, count: 0), to: choice, reason)
        case .comment(let text):
            if !exchange.hasBegun { begin() }
            out.append(comment: text)
        case .reasoning, .toolCall, .toolArguments, .signature, .encryptedReasoning, .message, .annotation, .native:
            break
        }
    }

    private func add(_ text: UnsafeRawBufferPointer, to choice: Int, _ finish: FinishReason?) {
        if !exchange.hasBegun { begin() }
        open(choice)
        out.append(jsonContent: text)
        close(finish)
    }

    private func begin() {
        exchange.beginEvents()
        for choice in 0..<formatter.choices {
            guard let prompt = formatter.prompt(ofChoice: choice) else { continue }
            open(choice)
            out.append(jsonContent: prompt)
            close(nil)
        }
    }

    private func open(_ choice: Int) {
        out.append(beginning.bytes)
        if includesUsage { out.append(#","usage":null"#) }
        out.append(#","choices":[{"index":"#, decimal: choice, #","text":""#)
    }

    private func close(_ finish: FinishReason?) {
        out.append(#"","logprobs":null,"finish_reason":"#)
        if let finish { out.append("\"", finish.nameOfText, "\"") } else { out.append("null") }
        out.append("}]}\n\n")
    }

    /// Appends a comment of the event stream, to show that the relay still works on the request.
    func ping() {
        if !exchange.hasBegun { begin() }
        out.append(": ping\n\n")
    }

    func end(_ usage: Usage) async {
        if !exchange.hasBegun { begin() }
        if includesUsage {
            out.append(beginning.bytes)
            out.append(#","choices":[],"usage":"#)
            usage.appendJSON(to: &out)
            out.append("}\n\n")
        }
        out.append("data: [DONE]\n\n")
        sendEnd()
    }
}
