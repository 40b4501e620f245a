import Engine
import Support
import Testing

@testable import Upstream

/// An event as text, with which events of different buffers can be compared.
private func shown(_ choice: Int, _ event: ChatEvent) -> String {
    switch event {
    case .text(let text, let isPlain): "\(choice) text \(isPlain) \(text.text)"
    case .reasoning(let text): "\(choice) reasoning \(text.text)"
    case .refusal(let text): "\(choice) refusal \(text.text)"
    case .toolCall(let index, let id, let name): "\(choice) call \(index) \(id.text) \(name.text)"
    case .toolArguments(let index, let text): "\(choice) arguments \(index) \(text.text)"
    case .signature(let call, let text): "\(choice) signature \(call ?? -1) \(text.text)"
    case .encryptedReasoning(let text): "\(choice) sealed \(text.text)"
    case .message(let phase): "\(choice) message \(phase.map { "\($0)" } ?? "-")"
    case .annotation(let text): "\(choice) annotation \(text.text)"
    case .comment(let text): "\(choice) comment \(text.text)"
    case .finish(let reason, let stop): "\(choice) finish \(reason) \(stop?.text ?? "-")"
    case .native(let wire, let text): "\(choice) native \(wire) \(text.text)"
    }
}

/// Text of one kind in one choice, or another event, before it is cut.
private struct Whole {
    let choice: Int
    let kind: Int
    let text: String

    func emit(_ piece: UnsafeRawBufferPointer, _ emit: (Int, ChatEvent) -> Void) {
        switch kind {
        case 0: emit(choice, .text(piece))
        case 1: emit(choice, .reasoning(piece))
        case 2: emit(choice, .refusal(piece))
        case 3, 4: emit(choice, .toolArguments(index: kind - 3, piece))
        case 5: emit(choice, .toolCall(index: 3, id: piece, name: piece))
        case 6: emit(choice, .signature(call: choice == 0 ? nil : 1, piece))
        case 7: emit(choice, .encryptedReasoning(piece))
        case 8: emit(choice, .message(choice == 0 ? nil : .finalAnswer))
        case 9: emit(choice, .annotation(piece))
        case 10: emit(choice, .comment(piece))
        case 11: emit(choice, .finish(.contentFilter, stop: choice == 0 ? nil : piece))
        default: emit(choice, .native(.messages, piece))
        }
    }

    var isText: Bool { kind < 5 }
}

private func replayed(_ log: EventLog) -> [String] {
    var lines: [String] = []
    while log.next({ lines.append(shown($0, $1)) }) {}
    return lines
}

@Suite struct EventLogTests {
    private static let letters = Array("ab\"\u{e9}\u{4e2d}\u{1f600}")

    private func wholes(_ random: inout Seeded) -> [Whole] {
        var wholes: [Whole] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let count = Bool.random(using: &random) ? Int.random(in: 0...9, using: &random) : 400
            let text = String((0..<count).map { _ in Self.letters.randomElement(using: &random) ?? "a" })
            let whole = Whole(
                choice: [0, 0, 1, 200, -1].randomElement(using: &random) ?? 0,
                kind: Int.random(in: 0...12, using: &random),
                text: text
            )
            // Equal neighbours would be one text.
            if let last = wholes.last, last.isText, last.kind == whole.kind, last.choice == whole.choice { continue }
            if whole.isText, text.isEmpty { continue }
            wholes.append(whole)
        }
        return wholes
    }

    @Test("a log is the same however its texts were cut, and replays what was joined")
    func joining() {
        var random = Seeded(1)
        for _ in 0..<2_000 {
            let wholes = wholes(&random)
            let (cut, uncut, copied) = (EventLog(), EventLog(), EventLog())
            for whole in wholes {
                withBytes(whole.text) { bytes in
                    whole.emit(bytes) { uncut.append($0, $1) }
                    whole.emit(bytes) { copied.join($0, $1) }
                    guard whole.isText else { return whole.emit(bytes) { cut.join($0, $1) } }
                    var rest = bytes
                    while !rest.isEmpty {
                        let count = Int.random(in: 0...min(rest.count, 300), using: &random)
                        whole.emit(UnsafeRawBufferPointer(rebasing: rest[..<count])) { cut.join($0, $1) }
                        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    }
                }
            }
            #expect(cut.bytes.elementsEqual(copied.bytes))
            #expect(copied.bytes.elementsEqual(uncut.bytes))
            #expect(replayed(cut) == replayed(uncut))
            #expect(cut.isEmpty)
        }
    }

    @Test("a text that was begun to be replayed is not continued")
    func joiningAfterReplay() {
        let log = EventLog()
        var lines: [String] = []
        for piece in ["a", "b"] {
            withBytes(piece) { log.join(0, .text($0)) }
            _ = log.next { lines.append(shown($0, $1)) }
        }
        #expect(lines == ["0 text false a", "0 text false b"])
    }

    @Test("a long text is replayed in slices of whole characters; every cursor sees the same")
    func slices() async {
        var random = Seeded(2)
        let text = String((0..<200_000).map { _ in Self.letters.randomElement(using: &random) ?? "a" })
        let log = EventLog()
        withBytes(text) {
            log.append(3, .text($0, isPlain: true))
            log.append(0, .toolArguments(index: 7, $0))
            log.append(0, .encryptedReasoning($0))
        }
        let stored = Body(copying: log.bytes)
        let lengths = await withTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var (cursor, lengths) = (EventCursor(), [0, 0, 0])
                    var (plain, arguments, sealed) = ("", "", "")
                    while cursor.next(
                        in: stored.bytes,
                        { choice, event in
                            switch event {
                            case .text(let piece, isPlain: true) where choice == 3:
                                plain += piece.text
                                lengths[0] = max(lengths[0], piece.count)
                            case .toolArguments(index: 7, let piece) where choice == 0:
                                arguments += piece.text
                                lengths[1] = max(lengths[1], piece.count)
                            case .encryptedReasoning(let piece):
                                sealed += piece.text
                                lengths[2] = max(lengths[2], piece.count)
                            default: Issue.record("another event")
                            }
                        }
                    ) {}
                    let isSame = plain == text && arguments == text && sealed == text
                    return isSame && cursor.offset == stored.bytes.count ? lengths : []
                }
            }
            return await group.reduce(into: [[Int]]()) { $0.append($1) }
        }
        for one in lengths {
            #expect(one.count == 3 && one[0] <= EventCursor.sliceBytes && one[1] <= EventCursor.sliceBytes)
            #expect(one.last == text.utf8.count)
        }
    }

    @Test("bytes that are no characters are sliced, too")
    func slicesOfInvalidText() {
        let bytes = [UInt8](repeating: 0x80, count: 3 * EventCursor.sliceBytes)
        let log = EventLog()
        bytes.withUnsafeBytes { log.append(0, .text($0)) }
        var counts: [Int] = []
        while log.next({ if case .text(let piece, _) = $1 { counts.append(piece.count) } }) {}
        #expect(counts == [Int](repeating: EventCursor.sliceBytes, count: 3))
    }

    @Test("other text replaces the text of a log, and comes last")
    func replacing() {
        let log = EventLog()
        withBytes("a") {
            log.join(0, .text($0))
            log.join(0, .reasoning($0))
            log.join(0, .text($0))
        }
        log.replaceText(by: Body(ByteBuffer("new")))
        #expect(replayed(log) == ["0 reasoning a", "0 text false new"])
    }

    @Test("damaged bytes end the replay")
    func damage() {
        var random = Seeded(3)
        for _ in 0..<300 {
            let log = EventLog()
            for whole in wholes(&random) { withBytes(whole.text) { whole.emit($0) { log.append($0, $1) } } }
            var bytes = Array(log.bytes)
            guard !bytes.isEmpty else { continue }
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 1...bytes.count, using: &random)) }
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.withUnsafeBytes { bytes in
                var cursor = EventCursor()
                while cursor.next(in: bytes, { _ = shown($0, $1) }) { #expect(cursor.offset <= bytes.count) }
            }
        }
    }
}
