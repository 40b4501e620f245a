import Engine
import Testing

@testable import Upstream

/// Refusals in the words of decoders and servers, and words that stand in the request.
@Suite struct RefusalFormsTests {
    /// Returns what the refusal of a request shows.
    private static func finding(_ message: String, isOfMessages: Bool = false, of request: String) -> QuirkFinding? {
        let message = String(
            decoding: message.utf8.flatMap { byte -> [UInt8] in
                byte == 10 ? [92, 110] : byte == 34 || byte == 92 ? [92, byte] : [byte]
            },
            as: UTF8.self
        )
        let json = ByteBuffer(#"{"error":{"message":"\#(message)","type":"invalid_request_error"}}"#)
        let reader = ErrorResponseReader(JSONParser(), VendorError.openAI, namesFields: true)
        let head = UpstreamHead(status: 400, isEventStream: false, retryAfterSeconds: nil)
        let body = Body(ByteBuffer(request))
        let refusal = reader.refusal(head, json.bytes, of: body, known: [])
        let found = isOfMessages ? refusal.finding(among: refusal.findingsOfMessages) : refusal.findingOfOpenAI
        guard let found else { return nil }
        let changed = found.applied(to: body)
        return RefusedCombination(refusal.words, of: refusal.request).scoped(found, changed: RawJSON(changed.bytes))
    }

    private static func request(_ members: String) -> String {
        #"{"model":"m","messages":[{"role":"user","content":"Hi"}],\#(members)}"#
    }

    /// Returns what a finding changes, in one line.
    private static func text(_ found: QuirkFinding?) -> String {
        guard let found else { return "nothing" }
        let changes = found.quirks.map { quirk -> String in
            guard case .field(let change) = quirk else { return quirk.name }
            return change.kind == .drop ? "-\(change.name)" : "\(change.name) \(change.kind)"
        }
        return (changes.sorted() + [found.beside?.text].compactMap(\.self) + (found.isLasting ? [] : ["once"])).joined(
            separator: " "
        )
    }

    private static func tool(_ name: String, _ property: String) -> String {
        """
        "tools":[{"type":"function","function":{"name":"\(name)","description":"d",\
        "parameters":{"type":"object","properties":{"\(property)":{"type":"string"}}}}}]
        """
    }

    @Test(
        "the names of tools and of their arguments are no fields",
        arguments: ["metadata", "store", "user", "temperature", "top_k", "service_tier"]
    )
    func toolNames(_ name: String) {
        let fields = #""\#(name)":{"a":"b"},"verbosity":"low""#
        let messages = [
            "Tool '\(name)' has an invalid schema: it is not supported",
            "function \(name): its length is not supported",
            "Invalid schema for function 'x': argument '\(name)' is not allowed",
            "Unsupported: the tool `\(name)` may not be sent twice",
            "Unexpected type of \(name) in the schema of a function",
        ]
        for (tool, property) in [(name, "x"), ("x", name)] {
            let request = Self.request("\(Self.tool(tool, property)),\(fields)")
            for message in messages {
                #expect(Self.text(Self.finding(message, of: request)) == "nothing", "\(message)")
            }
            for message in [
                "Unknown parameter: '\(name)'.", "property '\(name)' is unsupported", "Unsupported param: \(name)",
            ] {
                #expect(Self.text(Self.finding(message, of: request)) == "-\(name)", "\(message)")
            }
            #expect(
                Self.text(Self.finding("\(name) is not supported with tools", of: request)) == "-\(name) with tools"
            )
            let responses = request.replacing("messages", with: "input")
            #expect(Self.text(Self.finding(messages[0], of: responses)) == "nothing")
        }
        let claude = """
            {"model":"m","max_tokens":9,"tools":[{"name":"\(name)","input_schema":{"type":"object"}}],\(fields),\
            "messages":[{"role":"user","content":"Hi"}]}
            """
        #expect(Self.text(Self.finding(messages[3], isOfMessages: true, of: claude)) == "nothing")
        let quoting = #"{"model":"m","messages":[{"role":"user","content":"\#(name)"}],\#(fields)}"#
        #expect(Self.text(Self.finding("The text '\(name)' is not supported", of: quoting)) == "nothing")
    }

    @Test(
        "the source of a chat template is not a server's words",
        arguments: [
            (
                """

                ------------
                While executing CallExpression at line 85, column 32 in source:
                ...first %}\u{21b5}  {%- if tools %}{{- raise_exception('top_k is not supported. System mess...
                                           ^
                Error: Jinja Exception: No user query found in messages.
                """, "nothing"
            ),
            (
                """

                ------------
                While executing CallExpression at line 43, column 28 in source:
                ...is not supported %}\u{21b5}            {{- raise_exception('After the optional top_k, con...
                                           ^
                Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...
                """, "order of roles"
            ),
            (
                """
                Error rendering prompt with jinja template: "Conversation roles must alternate user and assistant".

                This is usually an issue with the model's prompt template. If you are using a popular model, you can try
                """, "order of roles"
            ),
            (
                "Cannot render the template {%- if tools %}{{ 'tools are not supported, top_k is not supported' }}",
                "nothing"
            ),
        ]
    )
    func templates(_ message: String, _ wanted: String) {
        let request = Self.request("\(Self.tool("f", "x")),\"top_k\":2")
        #expect(Self.text(Self.finding(message, of: request)) == wanted)
    }
}
