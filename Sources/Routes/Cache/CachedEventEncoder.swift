import Calls
import Engine
import Shared

/// The kinds of entries in the encoded form of a cached stream.
private enum Kind: Int {
    /// A sign that the relay began the stream with a text of its own, such as a space. The text itself is not cached.
    case opening
    case text, reasoning, refusal, call, arguments, signature, encryptedReasoning, finish
    /// A chunk in the vendor's own JSON, without its first four members, which are `id`, `object`, `created` and
    /// `model`.
    case native
    /// Text whose characters need no escapes in JSON.
    case plainText
    case message, annotation
}

extension CachedResponseEncoder {
    mutating func addOpening() { add(Kind.opening.rawValue) }

    /// Adds an event of a choice. Ignores stream comments and chunks in the vendor's own JSON.
    mutating func add(_ choice: Int, _ event: ChatEvent) {
        func add(_ kind: Kind) {
            self.add(kind.rawValue)
            self.add(choice)
        }
        switch event {
        case .text(let text, let isPlain):
            add(isPlain ? .plainText : .text)
            self.add(text)
        case .reasoning(let text):
            add(.reasoning)
            self.add(text)
        case .refusal(let text):
            add(.refusal)
            self.add(text)
        case .toolCall(let index, let id, let name):
            add(.call)
            self.add(index)
            self.add(id)
            self.add(name)
        case .toolArguments(let index, let text):
            add(.arguments)
            self.add(index)
            self.add(text)
        case .signature(let call, let text):
            add(.signature)
            self.add(call ?? -1)
            self.add(text)
        case .encryptedReasoning(let text):
            add(.encryptedReasoning)
            self.add(text)
        case .finish(let reason, let stop):
            add(.finish)
            self.add(reason.encodedNumber)
            self.add(stop == nil ? 0 : 1)
            if let stop { self.add(stop) }
        case .message(let phase):
            add(.message)
            self.add(phase.encodedNumber)
        case .annotation(let json):
            add(.annotation)
            self.add(json)
        case .comment, .native: break
        }
    }

    /// Adds a chunk in the vendor's own JSON.
    ///
    /// - Parameter rest: the bytes of the chunk after its first members, `id` to `model`.
    mutating func add(native rest: UnsafeRawBufferPointer, of choice: Int) {
        add(Kind.native.rawValue)
        add(choice)
        add(rest)
    }
}

/// A reader that replays the events of a cached stream to a writer.
struct CachedEventReader: ~Copyable {
    private var reader: CachedResponseDecoder
    private var chunk = ByteBuffer()
    /// The members with which each replayed vendor chunk begins: `id`, `object`, `created` and `model`.
    private let names: Body
    private let includesUsage: Bool

    /// The number of encoded bytes that have been read.
    var position: Int { reader.position }

    init(_ encoded: UnsafeRawBufferPointer, names: Body, includesUsage: Bool) {
        reader = CachedResponseDecoder(encoded)
        self.names = names
        self.includesUsage = includesUsage
    }

    /// Writes the next event of the cached stream. Returns false at the end or if the data is damaged.
    mutating func next(_ writer: any ChatStreamWriter) -> Bool {
        if let text = reader.shortText(after: Self.plainText) {
            writer.write(0, .text(text, isPlain: true))
            return true
        }
        guard !reader.isAtEnd, let kind = reader.number().flatMap(Kind.init) else { return false }
        if kind == .opening {
            writer.begin(with: " ")
            return true
        }
        guard let choice = reader.number() else { return false }
        if kind == .native { return passNative(choice, writer) }
        guard let event = event(kind) else { return false }
        writer.write(choice, event)
        return true
    }

    /// The first two bytes of an encoded event of the kind `plainText` for choice 0: the kind and the choice's index.
    private static let plainText = UInt16(littleEndian: UInt16(Kind.plainText.rawValue))

    private mutating func event(_ kind: Kind) -> ChatEvent? {
        switch kind {
        case .plainText: return reader.text().map { .text($0, isPlain: true) }
        case .text: return reader.text().map { .text($0) }
        case .reasoning: return reader.text().map { .reasoning($0) }
        case .refusal: return reader.text().map { .refusal($0) }
        case .encryptedReasoning: return reader.text().map { .encryptedReasoning($0) }
        case .message: return reader.number().map { .message(ChatMessage.Phase?(encodedNumber: $0)) }
        case .annotation: return reader.text().map { .annotation($0) }
        case .call:
            guard let index = reader.number(), let id = reader.text(), let name = reader.text() else { return nil }
            return .toolCall(index: index, id: id, name: name)
        case .arguments:
            guard let index = reader.number(), let text = reader.text() else { return nil }
            return .toolArguments(index: index, text)
        case .signature:
            guard let call = reader.number(), let text = reader.text() else { return nil }
            return .signature(call: call < 0 ? nil : call, text)
        case .finish:
            guard let reason = reader.number().flatMap(FinishReason.init(encodedNumber:)), let hasStop = reader.number()
            else { return nil }
            guard hasStop == 1 else { return .finish(reason, stop: nil) }
            return reader.text().map { .finish(reason, stop: $0) }
        case .opening, .native: return nil
        }
    }

    private mutating func passNative(_ choice: Int, _ writer: any ChatStreamWriter) -> Bool {
        guard let rest = reader.text() else { return false }
        // Not every client requests the usage.
        if choice < 0, !includesUsage { return true }
        chunk.removeAll()
        chunk.append(names.bytes)
        chunk.append(rest)
        writer.write(choice, .native(.chat, chunk.bytes))
        return true
    }
}
