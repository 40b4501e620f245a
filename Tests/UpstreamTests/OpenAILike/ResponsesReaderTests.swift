import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct ResponsesReaderTests {
    private static let events =
        #"data: {"type":"response.created","response":{}}"# + "\r\n\r\n"
        + #"data: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"h\u00e4"}"#
        + "\n\n"
        + #"data: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"so"}"#
        + "\n\n"
        + #"data: {"type":"response.output_text.delta","output_index":1,"delta":"zw\u00f6"}"# + "\n\n"
        + #"data: {"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f"}}"#
        + "\n\n" + #"data: {"type":"response.function_call_arguments.delta","output_index":2,"delta":"{}"}"# + "\n\n"
        + #"data: {"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":4}}}"# + "\n\n"

    private func stream(_ pieces: [[UInt8]]) -> WireStream {
        WireStream(
            ScriptedStream(pieces, isEventStream: true),
            ResponsesReader(JSONParser(), RandomBytes(), isLegacy: false)
        )
    }

    @Test("a stream is the same wherever its bytes are cut")
    func cutAnywhere() async {
        for pieces in cuttings(of: Array(Self.events.utf8)) {
            let heard = await hear(stream(pieces))
            #expect(heard.reasoning == [0: "h\u{e4}\n\nso"] && heard.texts == [0: "zw\u{f6}"], "\(pieces[0].count)")
            #expect(heard.calls == [0: ["c", "f", "{}"]] && heard.ends == [0: [.toolCalls]] && heard.tokens == 4)
        }
    }

    /// The events of two calls and a text, with the members by which items differ.
    private static func parallel(_ members: (_ item: Int) -> String, ids: Bool) -> [UInt8] {
        let names = ["a", "b"]
        func event(_ type: String, _ more: String, _ item: Int) -> String {
            #"data: {"type":"response.\#(type)"\#(members(item)),\#(more)}"# + "\n\n"
        }
        func item(_ number: Int, _ more: String = "") -> String {
            let id = ids ? #""id":"fc_\#(number)","# : ""
            return #""item":{"type":"function_call",\#(id)"call_id":"c\#(number)","name":"\#(names[number])"\#(more)}"#
        }
        var events = event("output_item.added", item(0), 0)
        if ids { events += event("output_item.added", item(1), 1) }
        events += event("function_call_arguments.delta", #""item_id":"fc_0","delta":"{""#, 0)
        if !ids {
            events += event("function_call_arguments.delta", #""delta":"}""#, 0)
            events += event("output_item.done", item(0, #","arguments":"{}""#), 0)
            events += event("output_item.added", item(1), 1)
        }
        events += event("function_call_arguments.delta", #""item_id":"fc_1","delta":"{""#, 1)
        if ids { events += event("function_call_arguments.delta", #""item_id":"fc_0","delta":"}""#, 0) }
        events += event("function_call_arguments.delta", #""item_id":"fc_1","delta":"}""#, 1)
        events += event("output_item.done", item(1, #","arguments":"{}""#), 1)
        if ids { events += event("output_item.done", item(0, #","arguments":"{}""#), 0) }
        events += #"data: {"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":4}}}"#
        return Array((events + "\n\n").utf8)
    }

    @Test("parallel calls are told apart by index, by id or by their order", arguments: [true, false])
    func parallelCalls(ids: Bool) async {
        let forms: [(Int) -> String] = [{ #","output_index":\#($0)"# }, { _ in #","output_index":0"# }, { _ in "" }]
        for members in forms {
            let heard = await hear(stream([Self.parallel(members, ids: ids)]))
            #expect(
                heard.calls[0]?.joined(separator: " ").replacing("{ }", with: "{}") == "c0 a {} c1 b {}",
                "\(heard)"
            )
        }
    }

    @Test(
        "an item that is done has what no delta had",
        arguments: [
            (#"{"type":"output_text","text":"zw\u00f6"}"#, "zw\u{f6}"),
            // The text may have marks of citations that no delta had.
            (#"{"type":"output_text","text":"zw\u00f6lf"}"#, "zw\u{f6}"),
            (#"{"type":"output_text","text":"zw\u00f6"},{"type":"odd","text":"lf"}"#, "zw\u{f6}lf"),
            (#"{"type":"output_text","text":"zw"}"#, "zw\u{f6}"),
            (#"{"type":"output_text","text":"zw\u20ac\u20ac"}"#, "zw\u{f6}"),
        ]
    )
    func rests(content: String, text: String) async {
        let item = #""item":{"type":"message","content":[\#(content)]}"#
        let events = [
            #"{"type":"response.output_text.delta","output_index":0,"delta":"zw\u00f6"}"#,
            #"{"type":"response.output_item.done","output_index":0,\#(item)}"#,
            #"{"type":"response.completed","response":{}}"#,
        ]
        let heard = await hear(stream([Array(events.map { $0.event() }.joined().utf8)]))
        #expect(heard.texts == [0: text] && heard.ends == [0: [.stop]])
    }

    @Test("positions of annotations count from the beginning of the joined messages", arguments: [true, false])
    func positions(isStreamed: Bool) throws {
        func message(_ text: String, _ annotations: String = "") -> String {
            #"{"type":"message","content":[{"type":"output_text","text":"\#(text)","annotations":[\#(annotations)]}]}"#
        }
        let cited = #"{"type":"url_citation","start_index":1,"end_index":2,"url":"u"}"#
        let items = [message("zw\u{f6}", cited), message("b", cited)]
        let reader = ResponsesReader(JSONParser(), RandomBytes(), isLegacy: false, keepsAnnotations: true)
        var (text, annotations) = ("", [String]())
        let emit = { (_: Int, event: ChatEvent) in
            if case .text(let piece, _) = event { text += piece.text }
            if case .annotation(let json) = event { annotations.append(json.text) }
        }
        if isStreamed {
            for (index, item) in items.enumerated() {
                let event = ByteBuffer(
                    #"{"type":"response.output_item.done","output_index":\#(index),"item":\#(item)}"#
                )
                _ = try reader.consume(EventStreamParser.Event(event.bytes), emit)
            }
        } else {
            let whole = ByteBuffer(#"{"status":"completed","output":[\#(items.joined(separator: ","))]}"#)
            try reader.consume(whole: whole.bytes, emit)
        }
        #expect(text == "zw\u{f6}\n\nb")
        let moved = cited.replacing(":1", with: ":6").replacing(":2", with: ":7")
        #expect(annotations == [cited, moved])
    }

    @Test(
        "uses of hosted tools count as their items arrive, also if the response breaks off or ends without them",
        arguments: [
            ("", ""), ("", nil), (#","action":{"type":"search"}"#, nil), (#","status":"completed""#, "output"),
            (#","action":{"type":"open_page"}"#, nil), (#","status":"failed""#, nil),
        ] as [(String, String?)]
    )
    func hostedTools(members: String, end: String?) async {
        let search = #"{"type":"web_search_call"\#(members)}"#
        let items = [search, #"{"type":"code_interpreter_call"}"#, search]
        var events = items.map { #"data: {"type":"response.output_item.done","item":\#($0)}"# + "\n\n" }.joined()
        if let end {
            let output = end.isEmpty ? "" : items.joined(separator: ",")
            let response = #"{"output":[\#(output)],"usage":{"input_tokens":3,"output_tokens":4}}"#
            events += #"data: {"type":"response.completed","response":\#(response)}"# + "\n\n"
        }
        let stream = stream([Array(events.utf8)])
        #expect(await hear(stream).failure == (end == nil ? .failed : nil))
        let isFree = members.contains("open_page") || members.contains("failed")
        #expect(stream.usage?.toolUses.text == (isFree ? "" : "web_search=2,") + "code_execution=1")
        #expect(stream.usage?.promptTokens == (end == nil ? 0 : 3))
    }

    @Test("a signature tells its item")
    func signatures() {
        var signature = ByteBuffer()
        withBytes("rs_1") { id in withBytes("gA.x") { SealedReasoning.append(id, $0, to: &signature) } }
        let parts = SealedReasoning.parts(of: signature.bytes.text)
        #expect(parts?.id == "rs_1" && parts?.content == "gA.x")
        for other in ["", "EqAB", "rs_1", "rs_1.", "x.y", "rs" + String(repeating: "_1", count: 200) + ".x"] {
            #expect(SealedReasoning.parts(of: other) == nil)
        }
    }
}
