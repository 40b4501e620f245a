import Calls
import Engine

/// An encoder that writes a cached response as a sequence of fields.
struct CachedResponseEncoder: ~Copyable {
    var out = ByteBuffer()

    mutating func add(_ number: Int) {
        var rest = UInt64(bitPattern: Int64(number))
        while rest > 127 {
            out.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        add(bytes.count)
        out.append(bytes)
    }

    mutating func add(_ text: String) {
        text.withBytes { add($0) }
    }

    /// Adds a text that may be nil. The encoding distinguishes nil from an empty text.
    mutating func add(ifAny text: String?) {
        add(text == nil ? 0 : 1)
        if let text { add(text) }
    }
}

/// A decoder for the fields that `CachedResponseEncoder` wrote. Its methods return nil if the data is damaged.
struct CachedResponseDecoder {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    /// The encoded bytes that have not been read.
    var rest: UnsafeRawBufferPointer { bytes[part: position..<bytes.count] }

    mutating func number() -> Int? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(Int64(bitPattern: number)) }
            shift += 7
        }
        return nil
    }

    mutating func text() -> UnsafeRawBufferPointer? {
        guard let count = number(), count >= 0, count <= bytes.count - position else { return nil }
        defer { position += count }
        return bytes[part: position..<(position + count)]
    }

    /// Reads two expected bytes and the text after them.
    ///
    /// Returns nil, and reads nothing, if the data differs or ends early, or the text has 128 bytes or more.
    /// - Parameter numbers: the two expected bytes in memory order.
    mutating func shortText(after numbers: UInt16) -> UnsafeRawBufferPointer? {
        guard bytes.count - position >= 3, let here = bytes.baseAddress.map({ $0 + position }),
            here.loadUnaligned(as: UInt16.self) == numbers,
            case let count = Int(here.load(fromByteOffset: 2, as: UInt8.self)),
            count < 128, count <= bytes.count - position - 3
        else { return nil }
        position += 3 + count
        return UnsafeRawBufferPointer(start: here + 3, count: count)
    }

    mutating func string() -> String? { text().map { String(decoding: $0, as: UTF8.self) } }

    /// Reads an optional text. An outer nil means damaged data; an inner nil is the encoded nil.
    mutating func stringIfAny() -> String?? {
        guard let isThere = number() else { return nil }
        guard isThere == 1 else { return .some(nil) }
        return string().map { .some($0) }
    }
}

extension ChatMessage.Phase? {
    /// The number of the phase in the cache; 0 for nil.
    var encodedNumber: Int { flatMap { ChatMessage.Phase.allCases.firstIndex(of: $0) }.map { $0 + 1 } ?? 0 }

    init(encodedNumber: Int) {
        let all = ChatMessage.Phase.allCases
        self = all.indices.contains(encodedNumber - 1) ? all[encodedNumber - 1] : nil
    }
}

extension FinishReason {
    private static let all: [FinishReason] = [.stop, .length, .toolCalls, .contentFilter, .refusal, .pause]

    var encodedNumber: Int { Self.all.firstIndex(of: self) ?? 0 }

    init?(encodedNumber: Int) {
        guard Self.all.indices.contains(encodedNumber) else { return nil }
        self = Self.all[encodedNumber]
    }

    /// Whether a content filter or a refusal ended the choice. Such a response is not cached.
    var isOfFilter: Bool { self == .contentFilter || self == .refusal }
}
