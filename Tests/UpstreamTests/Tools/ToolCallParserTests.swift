import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct ToolCallParserTests {
    private static let weatherSchema =
        #"{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["C","F"]}},"required":["city"],"additionalProperties":false}"#

    static let tools: [ToolDefinition] = {
        let text = ByteBuffer(weatherSchema)
        let parser = JSONParser()
        let schema = (try? parser.parse(text.bytes)).flatMap { try? JSONSchema($0) }
        return [
            ToolDefinition(name: "get_weather", description: "The weather", parameters: weatherSchema, schema: schema),
            ToolDefinition(name: "search", description: nil, parameters: nil, schema: nil),
            ToolDefinition(name: "noop", description: nil, parameters: nil, schema: nil),
        ]
    }()

    private static func parts(
        _ pieces: some Sequence<[UInt8]>,
        _ instructions: ToolProtocol = ToolProtocol(tools),
        ids: inout [String]
    ) -> [ToolResponse.Part] {
        var parser = ToolCallParser(instructions, ids: RandomBytes())
        var parts: [ToolResponse.Part] = []
        var text: [UInt8] = []
        func endText() {
            if !text.isEmpty { parts.append(.text(String(decoding: text, as: UTF8.self))) }
            text = []
        }
        func pass(_ event: ToolEvent) {
            switch event {
            case .text(let bytes): text += bytes
            case .call(let call):
                endText()
                ids.append(call.id)
                parts.append(.call(call.name, call.arguments))
            case .broken(let raw, let reason):
                endText()
                if reason.isEmpty { Issue.record("no reason") }
                parts.append(.broken(raw.text))
            }
        }
        for piece in pieces { piece.withUnsafeBytes { parser.consume($0, pass) } }
        parser.finish(pass)
        endText()
        return parts
    }

    private static func parts(_ text: String, _ instructions: ToolProtocol = ToolProtocol(tools)) -> [ToolResponse.Part]
    {
        var ids: [String] = []
        return parts([Array(text.utf8)], instructions, ids: &ids)
    }

    @Test("the corpus is large") func corpus() {
        #expect(ToolResponse.all.count >= 200)
        #expect(Set(ToolResponse.all.map(\.text)).count >= 200)
    }

    @Test("calls are found, and text stays text, however the answer is cut", arguments: ToolResponse.all)
    func cuts(_ response: ToolResponse) {
        var ids: [String] = []
        let bytes = Array(response.text.utf8)
        #expect(Self.parts([bytes], ids: &ids) == response.parts)
        #expect(Set(ids).count == ids.count && ids.allSatisfy { $0.hasPrefix("call_") && $0.utf8.count == 29 })
        if bytes.count < 2_000 {
            #expect(Self.parts(bytes.map { [$0] }, ids: &ids) == response.parts, "byte by byte")
        }
        for (seed, most) in [2, 3, 7, 20, 1_000].enumerated() {
            var random = Seeded(UInt64(seed))
            #expect(
                Self.parts(pieces(of: bytes, most: most, &random), ids: &ids) == response.parts,
                "pieces of \(most)"
            )
        }
    }

    @Test("text goes on at once, as far as it cannot be the beginning of a call")
    func noDelay() {
        var parser = ToolCallParser(ToolProtocol(Self.tools), ids: RandomBytes())
        var out: [UInt8] = []
        func consume(_ piece: String) -> String {
            out = []
            withBytes(piece) { parser.consume($0) { if case .text(let bytes) = $0 { out += bytes } } }
            return String(decoding: out, as: UTF8.self)
        }
        #expect(consume("I") == "I")
        #expect(consume(" look <") == " look")
        #expect(consume("tool") == "")
        #expect(consume("box>") == " <toolbox>")
        #expect(consume("\n``") == "\n``")
        #expect(consume("`\n<tool_call>") == "`\n<tool_call>")
        #expect(consume("\n```\n<tool_call>") == "\n```")
        #expect(consume(" x") == "\n<tool_call> x")
    }

    @Test(
        "characters that come whole go on whole",
        arguments: ToolResponse.all + [
            ToolResponse("a long name", "{\"name\": \"" + String(repeating: "\u{4e2d}", count: 200), []),
            ToolResponse("a long line", "<tool_call>\n```" + String(repeating: "a\u{4e2d}", count: 200), []),
            ToolResponse("a long function", "<function=" + String(repeating: "\u{4e2d}", count: 200), []),
        ]
    )
    func characters(_ response: ToolResponse) {
        guard response.text.utf8.count < 10_000 else { return }
        var parser = ToolCallParser(ToolProtocol(Self.tools), ids: RandomBytes())
        func pass(_ event: ToolEvent) {
            switch event {
            case .text(let bytes): #expect(String(validating: bytes, as: UTF8.self) != nil)
            case .broken(let raw, _): #expect(String(validating: raw, as: UTF8.self) != nil)
            case .call: break
            }
        }
        for scalar in response.text.unicodeScalars { withBytes(String(scalar)) { parser.consume($0, pass) } }
        parser.finish(pass)
    }

    @Test("at most one call where only one is wanted")
    func oneCall() {
        let one = ToolProtocol(Self.tools, isParallel: false)
        #expect(Self.parts(ToolResponse.call + ToolResponse.call, one) == [ToolResponse.weather])
        #expect(Self.parts("[\(ToolResponse.json), \(ToolResponse.json)]", one) == [ToolResponse.weather])
        #expect(Self.parts(ToolResponse.call + ToolResponse.tagged("{a}"), one) == [ToolResponse.weather])
    }

    @Test("where a call must come, one in a code block is one")
    func insisting() {
        let found = Self.parts("So:\n```\n\(ToolResponse.call)\n```", ToolProtocol(Self.tools, demand: .required))
        #expect(found.contains(ToolResponse.weather))
        let demand = ToolDemand.named("search")
        #expect(demand.unmet(by: ["noop"])?.contains("search") == true)
        #expect(demand.unmet(by: ["search"]) == nil)
        #expect(ToolDemand.required.unmet(by: []) != nil)
        #expect(ToolDemand.auto.unmet(by: []) == nil)
    }

    @Test(
        "random answers are read alike in any pieces, and nothing of a text is lost",
        arguments: 0..<20 as Range<UInt64>
    )
    func random(seed: UInt64) {
        var random = Seeded(seed)
        let alphabet = [
            "<tool_call>", "</tool_call>", ToolResponse.json, "{\"name\": \"search\", \"arguments\": {", "}", "\"",
            "\\",
            "```",
            "`", "\n", " ", "a", "\u{4e2d}", "<", "[", "[TOOL_CALLS]", "<function=search>", "</function>", "<tool_",
            "~~~",
            "{}", ",", "<tool_response", "<tool_calls>",
        ]
        for _ in 0..<200 {
            let text = (0..<random.below(12)).map { _ in random.pick(alphabet) }.joined()
            var ids: [String] = []
            let whole = Self.parts(text)
            #expect(Self.parts(text.utf8.map { [$0] }, ids: &ids) == whole, "\(text)")
            #expect(Self.parts(pieces(of: Array(text.utf8), most: 6, &random), ids: &ids) == whole, "\(text)")
            if whole.allSatisfy({ if case .call = $0 { false } else { true } }) {
                let all = whole.map {
                    if case .text(let text) = $0 { text } else if case .broken(let raw) = $0 { raw } else { "" }
                }
                #expect(all.joined() == text)
            }
        }
    }

    @Test("hostile answers take linear time")
    func linear() {
        let openings = [
            "<tool_call>", "<tool_call>{\"", "<tool_call>{", "[TOOL_CALLS][", "<function=search>", "```\n<tool_call>",
        ]
        let texts =
            Hostile.texts(bytes: 20_000)
            + (openings + ["<tool_", "<tool_call><", "<tool_call>{}", "{\"name\": \"search\""]).map {
                Hostile.text($0, bytes: 20_000)
            }
            + openings.flatMap { opening in
                ["{", "[", "\"", "</tool_call>", " "].map { opening + Hostile.text($0, bytes: 20_000) }
            }
        for text in texts {
            let steps = StepCount.of { _ = Self.parts(text) }
            #expect(steps <= Hostile.stepsPerByte * text.utf8.count + 1_000, "\(text.prefix(40))")
        }
    }

    @Test("the prompt has each tool on a line, the form, and what is demanded")
    func prompt() throws {
        var buffer = ByteBuffer()
        let form = ToolProtocol(Self.tools, demand: .named("search"), isParallel: false)
        form.appendInstructions(to: &buffer)
        let lines = buffer.text.split(separator: "\n")
        let parser = JSONParser()
        var names: [String] = []
        for line in lines where line.hasPrefix("{\"name\": ") && line.contains("parameters") {
            let text = ByteBuffer(String(line))
            names.append(try #require(try parser.parse(text.bytes)["name"]?.string))
        }
        #expect(names == ["get_weather", "search", "noop"])
        #expect(buffer.text.contains("at most one <tool_call>") && !buffer.text.contains("must call the tool"))
        buffer.removeAll()
        form.appendDemand(to: &buffer)
        #expect(buffer.text.contains("must call the tool \"search\" now"))
    }

    @Test("what was called before is written as it is to be written, and a result cannot end itself")
    func history() {
        var buffer = ByteBuffer()
        ToolProtocol.append(call: "search", arguments: #"{"q":1}"#, id: "call_1", to: &buffer)
        ToolProtocol.append(call: "noop", arguments: " ", id: nil, to: &buffer)
        #expect(Self.parts(buffer.text) == [.call("search", #"{"q":1}"#), .call("noop", "{}")])
        buffer.removeAll()
        ToolProtocol.append(
            result: "a</tool_response>b\n</tool_response",
            ofCall: "call_1",
            name: "search",
            to: &buffer
        )
        #expect(
            buffer.text
                == "<tool_response id=\"call_1\" name=\"search\">\na\\</tool_response>b\n\\</tool_response\n</tool_response>\n"
        )
    }
}
