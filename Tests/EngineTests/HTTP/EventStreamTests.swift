import Support
import Testing

@testable import Engine

@Suite struct EventStreamTests {
    @Test("events are the same wherever the bytes are cut", arguments: EventRow.all)
    func readsEvents(_ row: EventRow) {
        for pieces in cuttings(of: row.bytes) {
            let (events, waiting) = read(pieces)
            #expect(events == row.events, "\(pieces.count) pieces, the first of \(pieces.first?.count ?? 0)")
            #expect(waiting == row.waiting)
        }
    }

    @Test("random streams in random pieces, read now and then, lose and double nothing")
    func randomPieces() {
        var random = Seeded(2)
        for _ in 0..<200 {
            var text = ""
            var expected: [Event] = []
            for number in 0..<(1 + random.below(60)) {
                let lines = (0..<(1 + random.below(3))).map { _ in
                    String(repeating: random.pick(["a", "\u{e4}", " ", ":", "data:"]), count: random.below(40))
                }
                let name = random.pick(["content", "result", "", "ping"])
                if !name.isEmpty { text += "event: \(name)\n" }
                for line in lines { text += "data: \(line)" + random.pick(["\n", "\r\n"]) }
                if number % 3 == 0 { text += ": comment\nid: 7\n" }
                text += random.pick(["\n", "\r\n", "\n\n"])
                expected.append(Event(name, lines.joined(separator: "\n")))
            }
            let (events, waiting) = read(
                pieces(of: Array(text.utf8), most: 1 + random.below(random.pick([100, 9_000])), &random),
                &random
            )
            #expect(events == expected)
            #expect(waiting == 0)
        }
    }

    @Test("long lines in many pieces are those of one", arguments: ["\n", "\r\n"])
    func longLines(end: String) {
        var random = Seeded(3)
        let long = String(repeating: "0123456789", count: 8_000)
        let lines = [
            "data: a", "", ": \(long)", "event: content", "data: \(long)1", "data: \(long)2", "", "data: \(long)", "",
            "data: b",
        ]
        let text = lines.map { $0 + end }.joined()
        let (events, waiting) = read(pieces(of: Array(text.utf8), most: 9_000, &random), readsAlways: true, &random)
        #expect(events == [Event("", "a"), Event("content", "\(long)1\n\(long)2"), Event("", long)])
        #expect(waiting == "data: b\(end)".utf8.count)
    }

    @Test("texts are told where a reading of all finds them, and no others", arguments: 0..<20 as Range<UInt64>)
    func emitsTexts(seed: UInt64) {
        var random = Seeded(seed)
        var reported = 0
        for _ in 0..<40 {
            let text = (0..<(1 + random.below(20))).map { _ in almostPlain(&random) }.joined()
            let pieces = pieces(of: Array(text.utf8), most: 1 + random.below(random.pick([20, 9_000])), &random)
            let (expected, waiting) = read(pieces)
            let (events, waitingBesideTexts) = read(pieces, readsAlways: true, &random) { parser in
                guard let text = parser.text(between: UnsafeRawBufferPointer(opening), UnsafeRawBufferPointer(closing))
                else { return nil }
                reported += 1
                if text.isEmpty || !text.isPlain { Issue.record("\(text.text)") }
                return Event("content", #"{"content":""# + text.text + #""}"#)
            }
            #expect(events == expected)
            #expect(waiting == waitingBesideTexts)
        }
        #expect(reported > 20)
    }

    @Test("a long text is left to a reading of all", arguments: [1_023, 1_024, 1_025, 5_000])
    func leavesLongTexts(length: Int) {
        var parser = EventStreamParser()
        var bytes = ByteBuffer("\(opening)" + String(repeating: "x", count: length) + "\(closing)")
        parser.append(&bytes)
        let text = parser.text(between: UnsafeRawBufferPointer(opening), UnsafeRawBufferPointer(closing))
        #expect(text?.count == (length <= 1_024 ? length : nil))
        if length > 1_024 { #expect(parser.next()?.data.count == #"{"content":""}"#.utf8.count + length) }
    }

    @Test("a known beginning may be longer than what is read before its line has ended")
    func findsTextsBehindLongBeginnings() {
        let opening = ByteBuffer(#"data: {"fingerprint":""# + String(repeating: "f", count: 70_000) + #"","content":""#)
        var parser = EventStreamParser()
        for _ in 0..<2 {
            var event = ByteBuffer(String(decoding: opening.bytes, as: UTF8.self) + #"Hi"}"# + "\n\n")
            let whole = event.bytes
            var first = ByteBuffer()
            first.append(whole[part: 0..<68_000])
            event.removeFirst(68_000)
            parser.append(&first)
            #expect(parser.text(between: opening.bytes, UnsafeRawBufferPointer(closing)) == nil && parser.next() == nil)
            parser.append(&event)
            #expect(parser.text(between: opening.bytes, UnsafeRawBufferPointer(closing))?.text == "Hi")
            #expect(parser.next() == nil)
        }
    }

    private func almostPlain(_ random: inout Seeded) -> String {
        var text = (0..<random.below(20)).map { _ in random.pick(["a", "b", " ", "cdefghij", "\u{7f}", "{", "}", ":"]) }
            .joined()
        if random.below(4) == 0 {
            let odd = random.pick(["\"", "\\", "\\n", "\\u0041", "\u{e4}", "\u{1f310}", "\n", "\u{1}", #"","x":"y"#])
            let index = text.index(text.startIndex, offsetBy: random.below(text.count + 1))
            text.insert(contentsOf: odd, at: index)
        }
        let begin =
            random.below(4) > 0 ? "\(opening)" : random.pick(["data: ", "event: contenT\ndata: ", "\r\n", ": \n"])
        let end =
            random.below(4) > 0
            ? "\(closing)" : random.pick(["\" }\n\n", "\"}\n", "\"}\r\n\r\n", "\n\n", "\"}\nid: 7\n\n"])
        return begin + text + end
    }
}

private let opening: StaticString = "event: content\ndata: {\"content\":\""
private let closing: StaticString = "\"}\n\n"

struct Event: Equatable, Sendable {
    let name: String
    let data: String

    init(_ name: String, _ data: String) {
        self.name = name
        self.data = data
    }
}

private func read(_ pieces: [[UInt8]]) -> (events: [Event], waiting: Int) {
    var random = Seeded(0)
    return read(pieces, readsAlways: true, &random)
}

private func read(
    _ pieces: [[UInt8]],
    readsAlways: Bool = false,
    _ random: inout Seeded,
    _ early: (inout EventStreamParser) -> Event? = { _ in nil }
) -> (events: [Event], waiting: Int) {
    var parser = EventStreamParser()
    var events: [Event] = []
    for (index, piece) in pieces.enumerated() {
        var bytes = ByteBuffer()
        piece.withUnsafeBytes { bytes.append($0) }
        parser.append(&bytes)
        if !readsAlways, index + 1 < pieces.count, random.below(2) == 0 { continue }
        while true {
            if let event = early(&parser) {
                events.append(event)
            } else if let event = parser.next() {
                events.append(Event(event.name.text, event.data.text))
            } else {
                break
            }
        }
    }
    return (events, parser.waitingBytes)
}

struct EventRow: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let events: [Event]
    var waiting = 0
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ events: [Event], waiting: Int = 0) {
        self.name = name
        bytes = Array(text.utf8)
        self.events = events
        self.waiting = waiting
    }

    static let all = [
        EventRow("plain", "data: a\n\n", [Event("", "a")]),
        EventRow("CR LF", "event: content\r\ndata: a\r\n\r\n", [Event("content", "a")]),
        EventRow("mixed line ends", "event: result\ndata: a\r\ndata: b\n\r\n", [Event("result", "a\nb")]),
        EventRow("a lone CR ends no line", "data: a\rdata: b\n\n", [Event("", "a\rdata: b")]),
        EventRow("joined data", "data: a\ndata:\ndata: b\ndata\n\n", [Event("", "a\n\nb\n")]),
        EventRow("joined data that is empty", "data:\ndata:\n\n", [Event("", "\n")]),
        EventRow("one empty line of data", "data:\n\n", [Event("", "")]),
        EventRow("data without a colon", "data\n\n", [Event("", "")]),
        EventRow("one space is dropped, no more", "data:  a \n\n", [Event("", " a ")]),
        EventRow("no space", "data:a\n\ndata: b\n\n", [Event("", "a"), Event("", "b")]),
        EventRow("comments", ": x\n\n:\ndata: a\n: data: b\n\n", [Event("", "a")]),
        EventRow("other fields", "id: 1\nretry: 5\ndatax: b\ndat: c\ndata: a\n\n", [Event("", "a")]),
        EventRow("a name alone is no event", "event: error\n\ndata: a\n\n", [Event("", "a")]),
        EventRow("the last name counts", "event: error\nevent: done\ndata: a\n\n", [Event("done", "a")]),
        EventRow("a name is taken back", "event: error\nevent\ndata: a\n\n", [Event("", "a")]),
        EventRow(
            "a name holds for one event",
            "event: done\ndata: a\n\ndata: b\n\n",
            [Event("done", "a"), Event("", "b")]
        ),
        EventRow("names are handed over as they are", "event: Content\ndata: a\n\n", [Event("Content", "a")]),
        EventRow("the name after the data", "data: a\nevent: error\n\n", [Event("error", "a")]),
        EventRow("a byte order mark", "\u{feff}data: a\n\n", [Event("", "a")]),
        EventRow("a second mark is none", "\u{feff}\u{feff}data: a\n\ndata: b\n\n", [Event("", "b")]),
        EventRow("long characters", "data: \u{1f310}\u{4e2d}\u{e4}\n\n", [Event("", "\u{1f310}\u{4e2d}\u{e4}")]),
        EventRow("an unfinished event waits", "data: a\n\ndata: b\n", [Event("", "a")], waiting: 8),
        EventRow("many empty lines", "\n\r\n\n\ndata: a\n\n\n\n", [Event("", "a")]),
    ]
}
