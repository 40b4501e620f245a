import Calls
import Engine

/// A buffer for the events of one choice. Adjacent chunks of text, reasoning or one call's arguments are joined.
struct EventBuffer: ~Copyable {
    private enum Kind: Equatable {
        case text
        case reasoningBlock
        case arguments(Int)
    }

    private var events: [BufferedEvent] = []
    /// The index of the event that is removed next.
    private var position = 0
    /// The joined text of the last added events, which are all of the same kind.
    private var piece = ByteBuffer()
    private var kind = Kind.text
    /// The size of all buffered events, in bytes.
    private(set) var bytes = 0

    /// The estimated size of an event without its content, in bytes.
    private static let eventBytes = 128

    var isEmpty: Bool { events.isEmpty && piece.isEmpty }

    mutating func add(_ event: ChatEvent) {
        switch event {
        case .text(let text, _): add(text, .text)
        case .reasoning(let text): add(text, .reasoningBlock)
        case .toolArguments(let index, let text): add(text, .arguments(index))
        default:
            close()
            append(BufferedEvent(0, event))
        }
    }

    mutating func add(_ event: BufferedEvent) {
        close()
        append(event)
    }

    private mutating func add(_ text: UnsafeRawBufferPointer, _ kind: Kind) {
        if kind != self.kind { close() }
        self.kind = kind
        piece.append(text)
        bytes += text.count
    }

    private mutating func close() {
        guard !piece.isEmpty else { return }
        bytes -= piece.count
        let event: ChatEvent =
            switch kind {
            case .text: .text(piece.bytes)
            case .reasoningBlock: .reasoning(piece.bytes)
            case .arguments(let index): .toolArguments(index: index, piece.bytes)
            }
        append(BufferedEvent(0, event))
        piece.removeAll()
    }

    private mutating func append(_ event: BufferedEvent) {
        events.append(event)
        bytes += event.count + Self.eventBytes
    }

    /// Replaces the text of all buffered text events with another text, which becomes the last event.
    mutating func replaceText(with text: Body) {
        close()
        events.removeAll(where: \.isText)
        add(.text(text.bytes))
    }

    /// Removes and returns the next event; nil if the buffer is empty.
    mutating func removeNext() -> BufferedEvent? {
        close()
        guard position < events.count else { return nil }
        let event = events[position]
        position += 1
        if position == events.count { self = EventBuffer() }
        return event
    }
}
