import Engine
import Glibc
import Shared
import Support
import Testing

@testable import Routes
@testable import Upstream

/// Tests of random conversations with tool calls: each vendor reads each result at its call.
@Suite struct CallHistoryTests {
    /// The number of conversations, such as `HISTORIES=100000`.
    private static let count = getenv("HISTORIES").flatMap { Int(String(cString: $0)) } ?? 30

    @Test("each vendor reads each result at its call, by each surface")
    func randomHistories() throws {
        var random = Seeded(57)
        let parser = JSONParser()
        for number in 0..<Self.count {
            let history = CallHistory(&random)
            for surface in CallHistory.Surface.allCases {
                let body = history.body(of: surface)
                let call = try surface.call(body, parser)
                for vendor in VendorText.allCases {
                    guard let sent = vendor.text(of: call, original: surface == .chat ? body : nil) else { continue }
                    if let problem = history.problem(in: sent, of: vendor, parser) {
                        Issue.record("history \(number) by \(surface) at \(vendor): \(problem)\n\(body)\n\(sent)")
                        return
                    }
                }
            }
        }
    }

    @Test("what precedes a new turn does not change")
    func stable() throws {
        var random = Seeded(58)
        let parser = JSONParser()
        for _ in 0..<Self.count / 4 {
            let history = CallHistory(&random)
            let whole = try CallHistory.Surface.chat.call(history.body(of: .chat), parser).messages
            for count in 1..<max(2, history.turns.count) {
                var part = history
                part.turns = Array(history.turns.prefix(count))
                let messages = try CallHistory.Surface.chat.call(part.body(of: .chat), parser).messages
                let ids = messages.map { $0.toolCalls.map(\.id) + [$0.toolCallID] }
                #expect(ids == whole.prefix(messages.count).map { $0.toolCalls.map(\.id) + [$0.toolCallID] })
            }
        }
    }
}

/// A random conversation with tool calls and their results.
private struct CallHistory {
    enum Turn {
        case words(String)
        case calls([(id: String, number: Int)])
        case results([(id: String, text: String)])
    }

    enum Surface: CaseIterable {
        case chat
        case messages
        case responses

        func call(_ body: String, _ parser: JSONParser) throws -> ChatCall {
            let text = ByteBuffer(body)
            let surface: any ChatSurface =
                switch self {
                case .chat: OpenAIChat()
                case .messages: AnthropicMessages()
                case .responses: OpenAIResponses()
                }
            return try surface.read(try parser.parse(text.bytes), defaultModel: nil, .whole).call
        }
    }

    var turns: [Turn] = []
    /// The text of the result of each tool call; nil if it has none.
    private(set) var expected: [Int: String] = [:]
    private(set) var texts: [String] = []

    init(_ random: inout Seeded) {
        var calls = 0
        turns.append(.words("start"))
        for _ in 0...random.below(5) {
            var made: [(id: String, number: Int)] = []
            for _ in 0...random.below(5) {
                calls += 1
                made.append((random.pick(["", "a", "b", "a_2", "call_\(calls)", "call_1"]), calls))
            }
            turns.append(.calls(made))
            var open = made
            var results: [(id: String, text: String)] = []
            while !open.isEmpty {
                let call = open.remove(at: random.below(open.count))
                if random.below(8) == 0 { continue }
                let text = "<r\(texts.count)>"
                texts.append(text)
                results.append((call.id, text))
            }
            for result in results {
                // The first call of the turn with this id that has no result yet.
                guard let call = made.firstIndex(where: { $0.id == result.id }) else { continue }
                expected[made.remove(at: call).number] = result.text
            }
            if !results.isEmpty { turns.append(.results(results)) }
            if results.isEmpty || random.below(2) == 0 { turns.append(.words("more")) }
        }
    }

    // MARK: Bodies

    func body(of surface: Surface) -> String {
        let items = turns.flatMap { Self.items(of: $0, surface) }.joined(separator: ",")
        let tool = #""name":"f","description":"d""#
        switch surface {
        case .chat:
            let tools = #"[{"type":"function","function":{\#(tool),"parameters":{"type":"object"}}}]"#
            return #"{"model":"m","messages":[\#(items)],"tools":\#(tools)}"#
        case .messages:
            let tools = #"[{\#(tool),"input_schema":{"type":"object"}}]"#
            return #"{"model":"m","max_tokens":9,"messages":[\#(items)],"tools":\#(tools)}"#
        case .responses:
            let tools = #"[{"type":"function",\#(tool),"parameters":{"type":"object"}}]"#
            return #"{"model":"m","input":[\#(items)],"tools":\#(tools)}"#
        }
    }

    private static func items(of turn: Turn, _ surface: Surface) -> [String] {
        switch (turn, surface) {
        case (.words(let text), _): [#"{"role":"user","content":"\#(text)"}"#]
        case (.calls(let calls), .chat):
            [#"{"role":"assistant","tool_calls":["# + joined(calls.map { item(of: $0, surface) }) + "]}"]
        case (.calls(let calls), .messages):
            [#"{"role":"assistant","content":["# + joined(calls.map { item(of: $0, surface) }) + "]}"]
        case (.calls(let calls), .responses): calls.map { item(of: $0, surface) }
        case (.results(let results), .chat):
            results.map { #"{"role":"tool","tool_call_id":"\#($0.id)","content":"\#($0.text)"}"# }
        case (.results(let results), .messages):
            [
                #"{"role":"user","content":["#
                    + joined(
                        results.map { #"{"type":"tool_result","tool_use_id":"\#($0.id)","content":"\#($0.text)"}"# }
                    ) + "]}"
            ]
        case (.results(let results), .responses):
            results.map { #"{"type":"function_call_output","call_id":"\#($0.id)","output":"\#($0.text)"}"# }
        }
    }

    private static func item(of call: (id: String, number: Int), _ surface: Surface) -> String {
        let arguments = #""arguments":"{\"n\":\#(call.number)}""#
        return switch surface {
        case .chat: #"{"id":"\#(call.id)","type":"function","function":{"name":"f",\#(arguments)}}"#
        case .messages: #"{"type":"tool_use","id":"\#(call.id)","name":"f","input":{"n":\#(call.number)}}"#
        case .responses: #"{"type":"function_call","call_id":"\#(call.id)","name":"f",\#(arguments)}"#
        }
    }

    private static func joined(_ items: [String]) -> String { items.joined(separator: ",") }

    // MARK: The check

    /// Returns how often each text such as `<r12>` occurs, by its number.
    private func marks(in sent: String) -> [Int] {
        var found = Array(repeating: 0, count: texts.count)
        sent.withCString { start in
            var rest = start
            while let mark = strstr(rest, "<r") {
                rest = UnsafePointer(mark) + 2
                let number = strtol(rest, nil, 10)
                if found.indices.contains(number) { found[number] += 1 }
            }
        }
        return found
    }

    /// Returns what is wrong in the text for a vendor; nil if each result is at its call, and occurs once.
    func problem(in sent: String, of vendor: VendorText, _ parser: JSONParser) -> String? {
        if let number = marks(in: sent).firstIndex(where: { $0 != 1 }) { return "\(texts[number]) does not occur once" }
        let pairs = vendor.pairs(in: sent, parser)
        var ids: Set<String> = []
        for pair in pairs where vendor != .gemini && !ids.insert(pair.id).inserted { return "\(pair.id) occurs twice" }
        let results = Dictionary(pairs.map { ($0.number, $0.result) }) { first, _ in first }
        guard results.count == pairs.count else { return "a call occurs twice" }
        for turn in turns {
            guard case .calls(let calls) = turn else { continue }
            for call in calls {
                guard let result = results[call.number] else { return "\(call) is missing" }
                let found = result.hasPrefix("<r") ? result : nil
                if found != expected[call.number] { return "\(call) has \(result)" }
            }
        }
        return nil
    }
}

/// A vendor's form of a conversation.
private enum VendorText: CaseIterable {
    case native
    case completions
    case responses
    case anthropic
    case gemini
    case cohere
    case cloudflare
    case prompt

    struct Pair {
        let number: Int
        let id: String
        let result: String
    }

    private static let memory = AccountSignatures(
        ToolCallMemory(.signature, MemoryBudget(bytes: 8 << 20), state: nil),
        of: .none
    )

    func text(of call: ChatCall, original: String?) -> String? {
        switch self {
        case .native:
            guard let original else { return nil }
            return NativeRequest(Body(ByteBuffer(original))).written(for: call, model: "m", isOpenAI: true)?.text
        case .completions: return OpenAILikeRequest(call, model: "m", isOpenAI: true).written().text
        case .responses: return ResponsesRequest(call, model: "m").written().text
        case .anthropic:
            let dialect = AnthropicDialect(supportsSampling: true, isVertex: false, errorTable: VendorError.anthropic)
            return AnthropicRequest(call, "claude-sonnet-4-5", dialect: dialect, with: []).written().body.text
        case .gemini:
            let model = GeminiModel("gemini-2.5-flash")
            return GeminiRequest(call, model, memory: Self.memory, dialect: .own).written().0.text
        case .cohere: return CohereRequest(call, "command-a").written().0.text
        case .cloudflare: return CloudflareRequest.written(call, "@cf/m").text
        case .prompt:
            guard let form = try? TextProtocol(call, lacking: []) else { return nil }
            var out = ByteBuffer("\"")
            OneMinPrompt.append(form.written(call), to: &out)
            out.append("\"")
            return out.text
        }
    }

    /// Returns the calls in the text, each with its result; empty for a call without a result.
    func pairs(in sent: String, _ parser: JSONParser) -> [Pair] {
        let text = ByteBuffer(sent)
        guard let root = try? parser.parse(text.bytes) else { return [] }
        if self == .prompt { return Self.pairs(inPrompt: root.string ?? "") }
        var calls: [(number: Int, id: String)] = []
        var results: [String: String] = [:]
        func add(_ id: String, _ result: String?) { if results[id] == nil { results[id] = result ?? "" } }
        let list = root["messages"] ?? root["input"] ?? root["contents"]
        for message in list?.elements ?? JSONElements() {
            switch self {
            case .responses:
                guard let id = message["call_id"]?.string else { continue }
                if let output = message["output"]?.string {
                    add(id, output)
                } else {
                    calls.append((Self.number(message["arguments"]), id))
                }
            case .anthropic:
                for block in message["content"]?.elements ?? JSONElements() {
                    if block["type"]?.text == "tool_use" {
                        calls.append((Int(block["input"]?["n"]?.integer ?? -1), block["id"]?.string ?? "-"))
                    } else if let id = block["tool_use_id"]?.string {
                        var said = ByteBuffer()
                        block["content"]?.append(to: &said)
                        let result = said.text.split(separator: "\"").first { $0.hasPrefix("<r") }
                        add(id, result.map(String.init))
                    }
                }
            case .gemini:
                for part in message["parts"]?.elements ?? JSONElements() {
                    // Google pairs by the order.
                    if let call = part["functionCall"] {
                        calls.append((Int(call["args"]?["n"]?.integer ?? -1), "\(calls.count)"))
                    } else if let result = part["functionResponse"] {
                        add("\(results.count)", result["response"]?["output"]?.string)
                    }
                }
            default:
                for call in message["tool_calls"]?.elements ?? JSONElements() {
                    calls.append((Self.number(call["function"]?["arguments"]), call["id"]?.string ?? "-"))
                }
                if let id = message["tool_call_id"]?.string { add(id, message["content"]?.string) }
            }
        }
        return calls.map { Pair(number: $0.number, id: $0.id, result: results[$0.id] ?? "") }
    }

    private static func number(_ arguments: JSONValue?) -> Int {
        arguments?.string?.withCString { strtol($0 + strcspn($0, "0123456789"), nil, 10) } ?? -1
    }

    private static func pairs(inPrompt prompt: String) -> [Pair] {
        var results: [String: String] = [:]
        for piece in prompt.split(separator: "<tool_response id=\"").dropFirst() {
            let id = String(piece.prefix { $0 != "\"" })
            results[id] = piece.split(separator: "\n").dropFirst().first.map(String.init)
        }
        return prompt.split(separator: "\"arguments\": {\"n\":").dropFirst().map { piece in
            let id = piece.split(separator: "\"id\": \"").dropFirst().first?.prefix { $0 != "\"" } ?? "-"
            let number = Int(piece.prefix(while: \.isNumber)) ?? -1
            return Pair(number: number, id: String(id), result: results[String(id)] ?? "")
        }
    }
}
