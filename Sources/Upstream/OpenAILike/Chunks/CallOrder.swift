import Calls
import Engine

/// Puts the calls of one choice one after the other, as the events of an answer have them. Servers may write several at a
/// time: a call waits while the one before it is not whole.
struct CallOrder {
    private struct Waiting {
        let index: Int
        let id: [UInt8]
        let name: [UInt8]
        var arguments: [UInt8] = []
    }

    /// The call that was told last; nil: none was.
    private var open: Int?
    private var scan = ObjectScan()
    private var isWhole = true
    private var waiting: [Waiting] = []
    private var waitingBytes = 0

    /// Of arguments that wait, of all calls.
    private static let limitBytes = 8_388_608

    mutating func begin(
        _ index: Int,
        id: [UInt8],
        name: [UInt8],
        _ take: (AnswerEvent) -> Void
    ) {
        waiting.append(Waiting(index: index, id: id, name: name))
        tellWhole(take)
    }

    mutating func add(
        _ arguments: [UInt8],
        to index: Int,
        _ take: (AnswerEvent) -> Void
    ) throws(UpstreamError) {
        if index == open {
            tell(arguments, take)
            tellWhole(take)
        } else if let place = waiting.firstIndex(where: { $0.index == index }) {
            waitingBytes += arguments.count
            guard waitingBytes <= Self.limitBytes else { throw .brokenAnswer("the arguments of calls are too long") }
            waiting[place].arguments += arguments
        }
        // After the whole arguments of an earlier call only white space can follow.
    }

    /// Nothing more comes.
    mutating func end(_ take: (AnswerEvent) -> Void) {
        while !waiting.isEmpty { tellNext(take) }
    }

    private mutating func tellWhole(_ take: (AnswerEvent) -> Void) {
        while isWhole, !waiting.isEmpty { tellNext(take) }
    }

    private mutating func tellNext(_ take: (AnswerEvent) -> Void) {
        let call = waiting.removeFirst()
        (open, scan, isWhole) = (call.index, ObjectScan(), false)
        call.id.withUnsafeBytes { id in
            call.name.withUnsafeBytes { take(.toolCall(index: call.index, id: id, name: $0)) }
        }
        tell(call.arguments, take)
    }

    private mutating func tell(_ arguments: [UInt8], _ take: (AnswerEvent) -> Void) {
        guard let open, !arguments.isEmpty else { return }
        for byte in arguments where !isWhole {
            isWhole = scan.isEnd(byte)
        }
        arguments.withUnsafeBytes { take(.toolArguments(index: open, $0)) }
    }
}

/// Finds the end of a JSON object that comes byte by byte. It judges no grammar; text that is no object has no end.
private struct ObjectScan {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isOther = false

    mutating func isEnd(_ byte: UInt8) -> Bool {
        if isOther { return false }
        if isInString {
            isInString = isEscaped || byte != UInt8(ascii: "\"")
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            return false
        }
        switch byte {
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}"): depth -= 1
        case UInt8(ascii: "\""): isInString = true
        default: break
        }
        isOther = depth == 0 && byte > 32 && byte != UInt8(ascii: "}")
        return depth == 0 && byte == UInt8(ascii: "}")
    }
}
