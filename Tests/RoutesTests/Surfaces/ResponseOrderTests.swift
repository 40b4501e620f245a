import Engine
import Glibc
import Support
import Testing

@testable import Routes
@testable import Upstream

/// Random histories of an agent's session reach a vendor's Responses API in the order of their items.
@Suite struct ResponseOrderTests {
    /// `HISTORIES=100000` checks as many histories as the requirements name.
    private static let count = getenv("HISTORIES").flatMap { Int(String(cString: $0)) } ?? 300

    @Test("items keep their order, and an appended turn changes no older item")
    func order() throws {
        var random = Seeded(56)
        let parser = JSONParser()
        for number in 0..<Self.count {
            var history = History(random.next())
            for _ in 0...random.below(3) { history.addTurn() }
            let before = try history.sent(by: parser)
            try #require(before == history.expected, "history \(number): \(history.body)")
            history.addTurn()
            let after = try history.sent(by: parser)
            try #require(after == history.expected, "history \(number): \(history.body)")
            try #require(after.starts(with: before), "history \(number)")
        }
        withExtendedLifetime(parser) {}
    }

    @Test("OpenAI gets no reasoning of other servers")
    func foreignReasoning() throws {
        let parser = JSONParser()
        let body = ByteBuffer(
            #"""
            {"model":"m","input":[{"role":"user","content":"Hi"},
            {"type":"reasoning","id":"rs_1-a","summary":[],"encrypted_content":"Zm9v"},
            {"type":"reasoning","id":"rs_2-b","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
            {"type":"reasoning","id":"rs_3-c","summary":[],"encrypted_content":"gAAAA-own"},
            {"role":"assistant","content":"So."}]}
            """#
        )
        let draft = try ResponseDraft(try parser.parse(body.bytes), defaultModel: nil, for: .response)
        let ids = try [true, false].map { isOpenAI in
            let request = ResponsesRequest(draft.call, model: "m", isOpenAI: isOpenAI).written()
            return try (parser.parse(request.bytes)["input"]?.elements ?? JSONElements()).compactMap {
                $0["id"]?.string
            }
        }
        #expect(ids == [["rs_3-c"], ["rs_1-a", "rs_2-b", "rs_3-c"]])
        withExtendedLifetime(parser) {}
    }
}

/// A random history as a client sends it, and the items that the vendor should receive, each as one text.
private struct History {
    private var random: Seeded
    private var items: [String] = []
    private(set) var expected: [String] = []
    private var numbers = 0

    init(_ seed: UInt64) { random = Seeded(seed) }

    var body: String { #"{"model":"m","store":false,"input":[\#(items.joined(separator: ","))]}"# }

    private mutating func number() -> Int {
        numbers += 1
        return numbers
    }

    /// An id as the relay makes it, or nothing.
    private mutating func id(_ prefix: String, _ number: Int) -> String {
        random.below(2) == 0 ? "" : #""id":"\#(prefix)_abcdefghijklmnopqrstuvwx\#(number)","#
    }

    mutating func addTurn() {
        let user = number()
        items.append(#"{"role":"user","content":"u\#(user)"}"#)
        expected.append("user u\(user)")
        for _ in 0..<random.below(4) {
            if random.below(2) == 0 { addReasoning() }
            switch random.below(5) {
            case 0, 1: addMessage()
            case 2, 3: addCalls()
            default: addUnknown()
            }
        }
        // Reasoning without an item after it is left out.
        if random.below(5) == 0 { addReasoning(isAlone: true) }
    }

    private mutating func addReasoning(isAlone: Bool = false) {
        for _ in 0...random.below(2) {
            let number = number()
            let isSealed = random.below(4) > 0
            let content = isSealed ? #","encrypted_content":"rs_v\#(number).sealed""# : ""
            items.append(#"{"type":"reasoning",\#(id("rs", number))"summary":[]\#(content)}"#)
            if isSealed, !isAlone { expected.append("reasoning rs_v\(number) sealed") }
        }
    }

    private mutating func addMessage() {
        let number = number()
        let phase = random.pick(["", "commentary", "final_answer"])
        let type = random.below(2) == 0 ? "" : #""type":"message","#
        let content = random.below(2) == 0 ? #""m\#(number)""# : #"[{"type":"output_text","text":"m\#(number)"}]"#
        let more = phase.isEmpty ? "" : #","phase":"\#(phase)""#
        items.append(#"{\#(id("msg", number))\#(type)"role":"assistant","content":\#(content)\#(more)}"#)
        expected.append("assistant m\(number)\(phase)")
    }

    /// Adds an item whose type the relay does not know.
    private mutating func addUnknown() {
        let number = number()
        let item = #"{"type":"new\#(number)","id":"n_\#(number)","x":[{"a":1.5},null]}"#
        items.append(item)
        expected.append(item)
    }

    private mutating func addCalls() {
        var calls: [Int] = []
        for _ in 0...random.below(5) {
            let number = number()
            calls.append(number)
            items.append(
                #"{"type":"function_call",\#(id("fc", number))"call_id":"c\#(number)","name":"f","arguments":"{}"}"#
            )
            expected.append("call c\(number)")
            if random.below(6) == 0 { addMessage() }
            if random.below(6) == 0 { addUnknown() }
            guard random.below(6) == 0, calls.count < 5 else { continue }
            addReasoning()
            addMessage()
        }
        for number in calls.shuffled(using: &random) {
            items.append(#"{"type":"function_call_output","call_id":"c\#(number)","output":"o\#(number)"}"#)
            expected.append("output c\(number) o\(number)")
            if random.below(6) == 0 { addUnknown() }
        }
    }

    /// Returns the input items of the vendor's request for this history.
    func sent(by parser: JSONParser) throws -> [String] {
        let body = ByteBuffer(body)
        let draft = try ResponseDraft(try parser.parse(body.bytes), defaultModel: nil, for: .response)
        let request = ResponsesRequest(draft.call, model: "m").written()
        let input = try parser.parse(request.bytes)["input"]?.elements ?? JSONElements()
        return input.map { item in
            func text(_ name: StaticString) -> String { item[name]?.string ?? "" }
            return switch text("type") {
            case "reasoning": "reasoning \(text("id")) \(text("encrypted_content"))"
            case "function_call": "call \(text("call_id"))"
            case "function_call_output": "output \(text("call_id")) \(text("output"))"
            case let type where type.utf8.starts(with: "new".utf8): item.body.text
            default: "\(text("role")) \(text("content"))\(text("phase"))"
            }
        }
    }
}
