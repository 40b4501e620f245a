import Engine
import Glibc
import Shared
import Upstream

/// Writes the chunks of a streamed chat completion.
///
/// `@unchecked`: used on its request's loop only.
final class ChatChunks: @unchecked Sendable {
    private let responder: Responder
    private let choices: Int
    private let includesUsage: Bool
    /// What all chunks begin with, up to the choice's index.
    private var beginning = ByteBuffer()
    /// What the text of the first choice, mostly the only one, begins with.
    private var opening = ByteBuffer()
    private var out = ByteBuffer()
    private var hasBegun = false

    /// A batch that is sent before more is translated: one wake-up may bring many events, and each swells threefold.
    private static let batchBytes = 8_192

    init(_ wanted: WantedAnswer, _ responder: Responder) {
        self.responder = responder
        choices = wanted.choices
        includesUsage = wanted.includesUsage
        beginning.append(#"data: {"id":""#)
        responder.gateway.ids.appendID("chatcmpl-", into: &beginning)
        beginning.append(#"","object":"chat.completion.chunk","created":"#)
        beginning.append(decimal: time(nil))
        beginning.append(#","model":"#)
        beginning.append(json: wanted.model)
        if wanted.includesUsage { beginning.append(#","usage":null"#) }
        beginning.append(#","choices":[{"index":"#)
        opening.append(beginning.bytes)
        opening.append(#"0,"delta":{"content":""#)
    }

    func add(_ text: UnsafeRawBufferPointer, to choice: Int) {
        if !hasBegun { begin() }
        makeRoom()
        if choice == 0 {
            out.append(opening.bytes)
        } else {
            open(choice)
            out.append(#"{"content":""#)
        }
        out.append(jsonContent: text)
        out.append("\"},\"finish_reason\":null}]}\n\n")
    }

    func finish(_ choice: Int, _ reason: OutputBound.Reason) {
        if !hasBegun { begin() }
        open(choice)
        out.append(#"{},"finish_reason":""#)
        out.append(reason.name)
        out.append("\"}]}\n\n")
    }

    /// A comment, which shows the client that somebody is there.
    func ping() {
        if hasBegun { out.append(": ping\n\n") } else { begin() }
    }

    private func begin() {
        hasBegun = true
        responder.beginEvents()
        for choice in 0..<choices {
            open(choice)
            out.append("{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n")
        }
    }

    /// For a whole batch, so that it does not grow by and by.
    private func makeRoom() { if out.isEmpty { _ = out.reserve(Self.batchBytes + 1_024) } }

    private func open(_ choice: Int) {
        out.append(beginning.bytes)
        out.append(decimal: choice)
        out.append(#","delta":"#)
    }

    var isLarge: Bool { out.count >= Self.batchBytes }

    /// Sends what has gathered; waits while the client takes it too slowly.
    func flush() async {
        flushNow()
        if responder.writer.isFull { await responder.writer.drained() }
    }

    func flushNow() {
        guard !out.isEmpty else { return }
        responder.writer.write(out)
        out.release()
    }

    func end(_ usage: Usage) async {
        if includesUsage { appendUsage(usage) }
        out.append("data: [DONE]\n\n")
        responder.writer.write(out)
        responder.writer.end()
    }

    private func appendUsage(_ usage: Usage) {
        // The common beginning has the members of a choice's chunk; this one has no choice.
        let text = beginning.bytes
        out.append(text[part: 0..<(text.count - #","usage":null,"choices":[{"index":"#.utf8.count)])
        out.append(#","choices":[],"usage":"#)
        usage.appendJSON(to: &out)
        out.append("}\n\n")
    }
}
