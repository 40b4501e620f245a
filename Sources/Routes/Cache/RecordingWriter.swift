import Engine
import Shared
import Upstream

/// A stream writer that passes events on to another writer and records them for the cache.
final class RecordingWriter: ChatStreamWriter, OnLoop, @unchecked Sendable {
    private let writer: any ChatStreamWriter
    private let lookup: CacheLookup
    private let servedModel: () -> String
    private let log = EventLog()
    private var hasOpening = false
    /// The first four members of the vendor's first chunk: `id`, `object`, `created` and `model`.
    private var names = ByteBuffer()
    private var isNative = false
    /// Whether recording has stopped because the response cannot be cached.
    private var isDropped = false

    init(_ writer: any ChatStreamWriter, _ lookup: CacheLookup, servedModel: @escaping () -> String) {
        self.writer = writer
        self.lookup = lookup
        self.servedModel = servedModel
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        if !isDropped { record(choice, event) }
        writer.write(choice, event)
    }

    private func record(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .finish(let reason, _) where reason.isOfFilter: return drop { lookup.end() }
        case .native(.messages, let event):
            // The parsed events that follow are recorded, if they say all that this event says.
            return KnownMessage.isKnown(event: event) ? () : drop { lookup.giveUp() }
        // Parsed events would lack what only the Responses API has.
        case .native(.responses, _):
            isNative = true
            log.append(choice, event)
        case .native(_, let chunk): return record(native: chunk, of: choice)
        case .comment: return
        default: if !isNative { log.append(choice, event) }
        }
        checkLength()
    }

    private func record(native chunk: UnsafeRawBufferPointer, of choice: Int) {
        if !isNative {
            isNative = true
            guard let end = ResponseNames.end(in: chunk) else { return drop { lookup.giveUp() } }
            names.append(chunk[part: 0..<end])
        }
        guard chunk.hasPrefix(names.bytes) else { return drop { lookup.giveUp() } }
        log.append(choice, .native(.chat, chunk[part: names.count..<chunk.count]))
        checkLength()
    }

    private func checkLength() {
        if !lookup.hasRoom(for: log.bytes.count) { drop {} }
    }

    private func drop(_ end: () -> Void) {
        isDropped = true
        log.removeAll()
        end()
    }

    func begin(with text: StaticString) {
        hasOpening = true
        writer.begin(with: text)
    }

    func ping() { writer.ping() }

    func expect(_ prompt: PromptCount) { writer.expect(prompt) }

    var isFull: Bool { writer.isFull }

    var failure: UpstreamError? { writer.failure }

    func flush() { writer.flush() }

    func finishEarly(_ choice: Int) {
        // Others get a whole response of their own.
        if !isDropped { drop { lookup.end() } }
        writer.finishEarly(choice)
    }

    func end(_ usage: Usage) async {
        if !isDropped, lookup.exchange.billing?.mayBeCut(usage) ?? false { drop { lookup.end() } }
        if !isDropped {
            lookup.keep(CachedResponse.written(usage, servedModel(), hasOpening: hasOpening, log.bytes))
            log.removeAll()
        }
        await writer.end(usage)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func hasPrefix(_ bytes: UnsafeRawBufferPointer) -> Bool {
        count >= bytes.count && self[part: 0..<bytes.count].elementsEqual(bytes)
    }
}
