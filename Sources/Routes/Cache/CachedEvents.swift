import Engine
import Shared
import Upstream

extension FinishReason {
    /// Whether a content filter or a refusal ended the choice. Such a response is not cached.
    var isOfFilter: Bool { self == .contentFilter || self == .refusal }
}

extension ChatResponse {
    var encodedBytes: Int { original?.bytes.count ?? choices.reduce(64) { $0 + $1.bytes + 64 } }

    /// Returns the events of the response for the cache; nil if the response must not be cached.
    ///
    /// A vendor's own JSON is one event: that of a chat without its first four members (`id`, `object`, `created` and
    /// `model`), that of the Responses API as it came.
    var cachedEvents: EventLog? {
        guard !choices.contains(where: \.finish.isOfFilter) else { return nil }
        let log = EventLog()
        if let original, RawJSON(original.bytes)["type"]?.content == "message" {
            // A known message is written anew from its choice.
            guard KnownMessage.isKnown(part: RawJSON(original.bytes)) else { return nil }
        } else if let original {
            if RawJSON(original.bytes)["object"]?.content?.equals("response") ?? false {
                log.append(0, .native(.responses, original.bytes))
                return log
            }
            guard let end = ResponseNames.end(in: original.bytes) else { return nil }
            log.append(0, .native(.chat, original.bytes[part: end..<original.bytes.count]))
            return log
        }
        emit(log.append)
        return log
    }

    /// Decodes a cached response; returns nil if the data is damaged.
    /// - Parameter names: the members `id`, `object`, `created` and `model`, which begin a response in the vendor's own
    ///   JSON.
    init?(cached: UnsafeRawBufferPointer, _ names: borrowing ByteBuffer) {
        var gathered = ResponseAccumulator()
        var whole: Body?
        var cursor = EventCursor()
        while cursor.next(
            in: cached,
            { choice, event in
                guard case .native(let wire, let rest) = event else { return gathered.append(choice, event) }
                guard wire != .responses else {
                    whole = Body(copying: rest)
                    return
                }
                var written = ByteBuffer()
                _ = written.reserve(names.count + rest.count)
                written.append(names.bytes, rest)
                whole = Body(written)
            }
        ) {}
        guard cursor.offset == cached.count else { return nil }
        self.init(gathered.finished(), usage: nil)
        original = whole
    }
}

struct CachedEventReader: ~Copyable {
    private let events: UnsafeRawBufferPointer
    private var cursor = EventCursor()
    private var chunk = ByteBuffer()
    /// The members with which each replayed vendor chunk begins: `id`, `object`, `created` and `model`.
    private let names: Body
    private let includesUsage: Bool

    /// The number of encoded bytes that have been read.
    var offset: Int { cursor.offset }

    init(_ events: UnsafeRawBufferPointer, names: Body, includesUsage: Bool) {
        self.events = events
        self.names = names
        self.includesUsage = includesUsage
    }

    /// Writes the next event of the cached stream. Returns false at the end or if the data is damaged.
    mutating func next(_ writer: any ChatStreamWriter) -> Bool {
        var reached = cursor
        defer { cursor = reached }
        return reached.next(in: events) { choice, event in
            guard case .native(let wire, let rest) = event else { return writer.write(choice, event) }
            if wire == .responses { return writer.write(choice, event) }
            // Not every client requests the usage.
            if choice < 0, !includesUsage { return }
            chunk.removeAll()
            chunk.append(names.bytes, rest)
            writer.write(choice, .native(wire, chunk.bytes))
        }
    }
}
