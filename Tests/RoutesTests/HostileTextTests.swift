import Engine
import Shared
import Support
import Testing

@testable import Routes
@testable import Upstream

/// Tests that each text field of each endpoint is read in linear time whatever it contains.
@Suite struct HostileTextTests {
    private static let bytes = 6_000
    private static let texts = Hostile.texts(bytes: bytes)

    /// Reads each hostile text as the replacement of `@` in a JSON body.
    private func readAll(_ body: String, _ read: (JSONValue) throws -> Void) throws {
        let parts = body.split(separator: "@", omittingEmptySubsequences: false)
        let parser = JSONParser()
        for text in Self.texts {
            var quoted = ByteBuffer()
            quoted.append(json: text)
            let inner = quoted.bytes[part: 1..<(quoted.count - 1)].text
            let json = ByteBuffer(parts.joined(separator: inner))
            let root = try parser.parse(json.bytes)
            let steps = try StepCount.of { () throws in try read(root) }
            let most = Hostile.stepsPerByte * json.count + 1_000
            #expect(
                steps <= most,
                "\(body) with \(text.unicodeScalars.prefix(20).map(\.value)): \(steps) steps, \(most)"
            )
        }
    }

    private static let user = #""messages":[{"role":"user","content":"hi"}]"#

    private static let ofMessages = #""max_tokens":5,\#(user)"#

    private static func block(_ block: String, by role: String = "user") -> String {
        #"{"model":"m","max_tokens":5,"messages":[{"role":"\#(role)","content":[\#(block)]}]}"#
    }

    @Test(
        "a message",
        arguments: [
            #"{"model":"@",\#(ofMessages)}"#, #"{"model":"m",\#(ofMessages),"system":"@"}"#,
            #"{"model":"m",\#(ofMessages),"system":[{"type":"text","text":"@"}]}"#,
            #"{"model":"m",\#(ofMessages),"stop_sequences":["a","@"]}"#,
            #"{"model":"m","max_tokens":5,"messages":[{"role":"@","content":"a"}]}"#,
            #"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"@"}]}"#,
            block(#"{"type":"@"}"#), block(#"{"type":"text","text":"@"}"#),
            block(#"{"type":"image","source":{"type":"url","url":"https://@"}}"#),
            block(#"{"type":"image","source":{"type":"base64","media_type":"image/@","data":"@"}}"#),
            block(#"{"type":"document","title":"@","context":"@","source":{"type":"text","data":"@"}}"#),
            block(#"{"type":"document","source":{"type":"base64","media_type":"@","data":"@"}}"#),
            block(#"{"type":"document","source":{"type":"url","url":"https://@"}}"#),
            block(#"{"type":"document","source":{"type":"@"}}"#),
            block(#"{"type":"search_result","title":"@","source":"@","content":[]}"#),
            block(#"{"type":"thinking","thinking":"@","signature":"@"}"#, by: "assistant"),
            #"""
            {"model":"m","max_tokens":5,"messages":[
            {"role":"assistant","content":[{"type":"tool_use","id":"@","name":"@","input":{"@":"@"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"@","content":"@"}]}]}
            """#,
            block(#"{"type":"tool_result","tool_use_id":"@"}"#),
            #"{"model":"m",\#(ofMessages),"tools":[{"name":"@","input_schema":{}}]}"#,
            #"{"model":"m",\#(ofMessages),"tools":[{"name":"a","description":"@","input_schema":{"@":"@"}}]}"#,
            #"{"model":"m",\#(ofMessages),"tools":[{"type":"@"}],"tool_choice":{"type":"@","name":"@"}}"#,
            #"{"model":"m",\#(ofMessages),"tool_choice":{"type":"tool","name":"@"}}"#,
            #"{"model":"m",\#(ofMessages),"metadata":{"user_id":"@"},"service_tier":"@","thinking":{"type":"@"}}"#,
            #"{"model":"m",\#(ofMessages),"output_config":{"effort":"@","format":{"type":"@","schema":{}}}}"#,
            #"{"model":"m",\#(ofMessages),"@":"@"}"#,
        ]
    )
    func message(_ body: String) throws {
        try readAll(body) { root in _ = try? ChatCall(message: root, defaultModel: nil) }
    }

    private static func items(_ items: String) -> String { #"{"model":"m","input":[\#(items)]}"# }

    @Test(
        "a response",
        arguments: [
            #"{"model":"@","input":"a"}"#, #"{"model":"m","input":"@","instructions":"@"}"#,
            #"{"model":"m","input":"a","@":"@"}"#, #"{"model":"m","input":"a","metadata":{"@":"@"},"user":"@"}"#,
            #"{"model":"m","input":"a","previous_response_id":"@"}"#, #"{"model":"m","input":"a","truncation":"@"}"#,
            #"{"model":"m","input":"a","include":["@"],"reasoning":{"effort":"@"},"text":{"verbosity":"@"}}"#,
            items(#"{"role":"@","content":"a"}"#), items(#"{"role":"user","content":"@","id":"@","phase":"@"}"#),
            items(#"{"type":"@"}"#), items(#"{"role":"user","content":"a","@":"@"}"#),
            items(#"{"role":"user","content":[{"type":"input_text","text":"@"}]}"#),
            items(#"{"role":"user","content":[{"type":"@"}]}"#),
            items(#"{"role":"user","content":[{"type":"input_image","image_url":"@"}]}"#),
            items(#"{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,@"}]}"#),
            items(#"{"role":"user","content":[{"type":"input_file","filename":"@","file_data":"@"}]}"#),
            items(#"{"type":"item_reference","id":"@"}"#), items(#"{"type":"compaction","encrypted_content":"@"}"#),
            items(
                #"{"type":"function_call","call_id":"@","name":"@","namespace":"@","arguments":"@"},"#
                    + #"{"type":"function_call_output","call_id":"@","output":"@"}"#
            ),
            items(
                #"{"type":"custom_tool_call","call_id":"@","name":"@","input":"@"},"#
                    + #"{"type":"custom_tool_call_output","call_id":"@","output":"@"}"#
            ),
            items(#"{"type":"shell_call","call_id":"@","action":{"@":"@"}}"#),
            items(#"{"type":"reasoning","summary":[{"text":"@"}],"content":[{"text":"@"}],"encrypted_content":"@"}"#),
            items(#"{"type":"configuration_update","reasoning":{"effort":"@"},"text":{"format":{"type":"@"}}}"#),
            #"{"model":"m","input":"a","tools":[{"type":"@","name":"@"}]}"#,
            #"{"model":"m","input":"a","tools":[{"type":"function","name":"a","description":"@","parameters":{"@":"@"}}]}"#,
            #"{"model":"m","input":"a","tools":[{"type":"custom","name":"a","format":{"type":"grammar","syntax":"@","definition":"@"}}]}"#,
            #"{"model":"m","input":"a","tools":[{"type":"namespace","name":"@","tools":[{"type":"function","name":"@"}]}]}"#,
            #"{"model":"m","input":"a","tool_choice":{"type":"allowed_tools","mode":"@","tools":[{"name":"@"}]}}"#,
        ]
    )
    func response(_ body: String) throws {
        try readAll(body) { root in
            guard var draft = try? ResponseDraft(root, defaultModel: nil, for: .response) else { return }
            draft.input.items.removeAll { if case .reference = $0.kind { true } else { false } }
            try? draft.completeCall()
            var kept = ByteBuffer()
            draft.input.append(to: &kept, seed: "a")
        }
    }

    @Test(
        "a chat",
        arguments: [
            #"{"model":"@",\#(user)}"#, #"{"model":"m",\#(user),"stop":"@"}"#,
            #"{"model":"m",\#(user),"stop":["a","@"]}"#, #"{"model":"m","messages":[{"role":"@","content":"a"}]}"#,
            #"{"model":"m","messages":[{"role":"user","content":"@"}]}"#,
            #"{"model":"m","messages":[{"role":"user","name":"@","content":"a"}]}"#,
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"@","text":"a"}]}]}"#,
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"@"}]}]}"#,
            #"{"model":"m","messages":[{"role":"assistant","content":"@"},{"role":"user","content":"[_V1_]"}]}"#,
            #"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_content":"@"},{"role":"user","content":"a"}]}"#,
            #"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"@","type":"custom","custom":{"name":"@","input":"@"}}]}]}"#,
            #"{"model":"m",\#(user),"tools":[{"type":"custom","custom":{"name":"a","description":"@","format":{"type":"grammar","grammar":{"syntax":"@","definition":"@"}}}}]}"#,
            #"{"model":"m","messages":[{"role":"assistant","refusal":"@"},{"role":"user","content":"a"}]}"#,
            #"{"model":"m","messages":[{"role":"assistant","content":"@"},{"role":"user","content":"/v1 @"}]}"#,
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"@"}}]}]}"#,
            #"""
            {"model":"m","messages":[{"role":"user","content":
            [{"type":"image_url","image_url":{"url":"data:@","detail":"@"}}]}]}
            """#,
            #"""
            {"model":"m","messages":[{"role":"user","content":
            [{"type":"file","file":{"filename":"@","file_data":"@"}}]}]}
            """#,
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"@"}}]}]}"#,
            #"""
            {"model":"m","messages":[{"role":"user","content":
            [{"type":"input_audio","input_audio":{"data":"@","format":"@"}}]}]}
            """#,
            #"""
            {"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"@","function":{"name":"@","arguments":"@"}}]},
            {"role":"tool","tool_call_id":"@","content":"@"},{"role":"user","content":"a"}]}
            """#,
            #"{"model":"m",\#(user),"user":"@","service_tier":"@","reasoning_effort":"@"}"#,
            #"{"model":"m",\#(user),"tools":[{"type":"@"}],"tool_choice":"@"}"#,
            #"{"model":"m",\#(user),"tool_choice":"@","functions":[{"name":"@"}]}"#,
            #"{"model":"m",\#(user),"function_call":"@","functions":[{"name":"f","description":"@"}]}"#,
            #"{"model":"m",\#(user),"tools":[{"type":"function","function":{"name":"@"}}]}"#,
            #"{"model":"m",\#(user),"web_search_options":{"search_context_size":"@"}}"#,
            #"{"model":"m",\#(user),"response_format":{"type":"@"}}"#, #"{"model":"m",\#(user),"modalities":["@"]}"#,
            #"{"model":"m",\#(user),"file_ids":["@"],"new_input":"@"}"#, #"{"model":"m",\#(user),"@":"@"}"#,
        ]
    )
    func chat(_ body: String) throws {
        let images = try #require(Catalogue.oneMin.models.first { $0.features.contains(.imageVariation) })
        try readAll(body) { root in
            guard var call = try? ChatCall(root, defaultModel: nil) else { return }
            _ = try? ImageCall(call, images)
            _ = try? SpeechCall(call)
            var text = ByteBuffer()
            for index in call.attachments.indices { call.attachments[index].source = .words("said") }
            OneMinPrompt.append(call, to: &text)
            for stop in call.stops { bound(call.messages.map(\.text), stop) }
        }
    }

    private func bound(_ texts: [String], _ stop: String) {
        var bound = OutputLimiter(stops: StopFinder([stop]), maxTokens: nil)
        for text in texts { withBytes(text) { bound.consume($0) { _ in } } }
    }

    @Test(
        "images",
        arguments: [
            #"{"prompt":"@"}"#, #"{"prompt":"a","model":"@"}"#, #"{"prompt":"a","size":"@"}"#,
            #"{"prompt":"a","style":"@","user":"@"}"#, #"{"prompt":"a","quality":"@"}"#,
            #"{"prompt":"a","background":"@"}"#, #"{"prompt":"a","output_format":"@"}"#,
            #"{"prompt":"a","response_format":"@"}"#, #"{"prompt":"a","moderation":"@"}"#,
            #"{"prompt":"a","input_fidelity":"@"}"#,
            #"{"prompt":"a","images":[{"image_url":"@"}],"mask":{"file_id":"@"}}"#,
        ]
    )
    func images(_ body: String) throws {
        try readAll(body) { root in
            if let call = try? ImageCall(generation: root) {
                var flags = PromptFlags()
                _ = try? flags.extract(from: call.prompt)
            }
            _ = try? ImageCall(edit: RequestFields(root))
            _ = try? ImageReferences(root)
        }
    }

    @Test(
        "speech",
        arguments: [
            #"{"model":"@","input":"a","voice":"b"}"#, #"{"model":"m","input":"@","voice":"b"}"#,
            #"{"model":"m","input":"a","voice":"@"}"#, #"{"model":"m","input":"a","voice":{"id":"@"}}"#,
            #"{"model":"m","input":"a","voice":"b","response_format":"@"}"#,
            #"{"model":"m","input":"a","voice":"b","instructions":"@","stream_format":"@"}"#,
        ]
    )
    func speech(_ body: String) throws { try readAll(body) { root in _ = try? SpeechCall(root) } }

    @Test(
        "fields of forms",
        arguments: [
            "model", "prompt", "language", "response_format", "temperature", "stream", "chunking_strategy", "include",
            "timestamp_granularities[]", "n", "size", "quality", "style", "background", "output_format",
            "output_compression", "user", "moderation", "input_fidelity", "",
        ]
    )
    func forms(_ name: String) {
        for text in Self.texts {
            let field = name.isEmpty ? (text, text) : (name, text)
            let usual = ["model", "prompt"].filter { $0 != name }.map { ($0, "a") }
            let steps = StepCount.of {
                let fields = FormFields(usual + [field])
                _ = try? TranscriptionCall(.transcription, fields, isWhole: true)
                _ = try? TranscriptionCall(.translation, fields, isWhole: true)
                _ = try? ImageCall(edit: fields)
                _ = try? ImageCall(variation: fields)
            }
            #expect(steps <= Hostile.stepsPerByte * text.utf8.count + 1_000, "\(name)")
        }
    }

    @Test("names of files")
    func names() {
        for text in Self.texts {
            let steps = StepCount.of {
                withBytes(text) { _ = FileLabel(text, claimed: text, beginning: $0) }
                for type in [MediaType.png, .text, .pdf] { _ = type.fileName(text) }
                _ = text.cut(toBytes: 1_000)
            }
            #expect(steps <= Hostile.stepsPerByte * text.utf8.count + 1_000)
        }
    }

    @Test("sequences that end a text, in any pieces", arguments: [1, 7, 6_000])
    func stops(_ pieceBytes: Int) {
        for pattern in Hostile.patterns {
            let stop = Hostile.text(pattern, bytes: 990)
            let text = Array(Hostile.text(pattern, bytes: Self.bytes).utf8)
            // Stop sequences that almost match, again and again.
            for stops in [[stop + "\u{1}"], [stop + "\u{1}", pattern + "\u{1}", "\u{1}" + pattern, stop + "\u{2}"]] {
                let steps = StepCount.of {
                    var bound = OutputLimiter(stops: StopFinder(stops), maxTokens: nil)
                    var offset = 0
                    while offset < text.count {
                        let end = min(offset + pieceBytes, text.count)
                        text[offset..<end].withUnsafeBytes { bound.consume($0) { _ in } }
                        offset = end
                    }
                    bound.finish { _ in }
                    #expect(bound.reason == nil)
                }
                let sent = text.count + stops.reduce(0) { $0 + $1.utf8.count }
                #expect(steps <= Hostile.stepsPerByte * sent, "\(pattern): \(steps) for \(sent)")
            }
        }
    }

    @Test("what a vendor writes", arguments: [1, 100, 6_000])
    func answers(_ pieceBytes: Int) throws {
        for text in Self.texts {
            let bytes = Array(text.utf8)
            let steps = StepCount.of {
                var filter = ProgressFilter()
                for offset in stride(from: 0, to: bytes.count, by: pieceBytes) {
                    bytes[offset..<min(offset + pieceBytes, bytes.count)].withUnsafeBytes {
                        filter.consume($0) { _ in }
                    }
                }
                filter.finish { _ in }
                _ = UpstreamError.cleaned(text.beginning(ofBytes: 4_096))
            }
            #expect(steps <= Hostile.stepsPerByte * bytes.count + 1_000)
        }
    }
}
