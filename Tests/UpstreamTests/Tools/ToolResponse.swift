import Testing

/// A model's output, and what must be found in it.
struct ToolResponse: Sendable, CustomTestStringConvertible {
    /// A part of the output. Texts that follow each other are one.
    enum Part: Sendable, Equatable {
        case text(String)
        case call(String, String)
        case broken(String)
    }

    let name: String
    let text: String
    let parts: [Part]

    init(_ name: String, _ text: String, _ parts: [Part]) {
        self.name = name
        self.text = text
        self.parts = parts
    }

    var testDescription: String { name }

    /// Returns a call in the requested form.
    static func tagged(_ json: String) -> String { "<tool_call>\n\(json)\n</tool_call>" }
    static let paris = #"{"city": "Paris"}"#
    static let json = #"{"name": "get_weather", "arguments": {"city": "Paris"}}"#
    static let call = tagged(json)
    static let weather = Part.call("get_weather", paris)

    static let all: [ToolResponse] = clean + broken + texts + forms + positions + quotes + large
}

extension ToolResponse {
    private static func search(_ arguments: String) -> Part { .call("search", arguments) }
    private static func searching(_ arguments: String) -> String {
        tagged("{\"name\": \"search\", \"arguments\": \(arguments)}")
    }
    private static func same(_ name: String, _ text: String) -> ToolResponse { ToolResponse(name, text, [.text(text)]) }
    private static func unusable(_ name: String, _ text: String) -> ToolResponse {
        ToolResponse(name, text, [.broken(text)])
    }

    private static let clean: [ToolResponse] = [
        ToolResponse("one", call, [weather]),
        ToolResponse("one with a line break", call + "\n", [weather]),
        ToolResponse("spaces before", "\n\n  " + call, [weather]),
        ToolResponse("two", call + "\n" + searching(#"{"q":"x"}"#), [weather, search(#"{"q":"x"}"#)]),
        ToolResponse("two without a break", call + call, [weather, weather]),
        ToolResponse("three", call + "\n\n" + call + "\n\n" + call, [weather, weather, weather]),
        ToolResponse("a text before", "Let me look.\n" + call, [.text("Let me look."), weather]),
        ToolResponse("a text behind", call + "\nThere.", [weather, .text("\nThere.")]),
        ToolResponse("a text between", call + " then " + call, [weather, .text(" then"), weather]),
        ToolResponse("a text around", "One " + call + " two", [.text("One"), weather, .text("  two")]),
        ToolResponse("no arguments", tagged(#"{"name": "noop"}"#), [.call("noop", "{}")]),
        ToolResponse("empty arguments", tagged(#"{"name": "noop", "arguments": {}}"#), [.call("noop", "{}")]),
        ToolResponse("null arguments", tagged(#"{"name": "noop", "arguments": null}"#), [.call("noop", "{}")]),
        ToolResponse("arguments first", tagged(#"{"arguments": {"q": 1}, "name": "search"}"#), [search(#"{"q": 1}"#)]),
        ToolResponse("an id", tagged(#"{"id": "call_1", "name": "search", "arguments": {}}"#), [search("{}")]),
        ToolResponse("on one line", "<tool_call>" + json + "</tool_call>", [weather]),
        ToolResponse(
            "nested",
            searching(#"{"a": {"b": [1, {"c": null}]}}"#),
            [search(#"{"a": {"b": [1, {"c": null}]}}"#)]
        ),
        ToolResponse("braces in strings", searching(#"{"q": "}{]["}"#), [search(#"{"q": "}{]["}"#)]),
        ToolResponse("escaped quotes", searching(#"{"q": "a \"b\" \\"}"#), [search(#"{"q": "a \"b\" \\"}"#)]),
        ToolResponse("the tag in a string", searching(#"{"q": "<tool_call>"}"#), [search(#"{"q": "<tool_call>"}"#)]),
        ToolResponse(
            "the closing tag in a string",
            searching(#"{"q": "</tool_call> x"}"#),
            [search(#"{"q": "</tool_call> x"}"#)]
        ),
        ToolResponse(
            "a code block in a string",
            searching(#"{"q": "```\nx\n```"}"#),
            [search(#"{"q": "```\nx\n```"}"#)]
        ),
        ToolResponse(
            "unicode",
            searching("{\"q\": \"\u{4e2d}\u{1f310}\u{e4}\"}"),
            [search("{\"q\": \"\u{4e2d}\u{1f310}\u{e4}\"}")]
        ),
        ToolResponse(
            "escaped unicode",
            searching(#"{"q": "\u00e4\ud83c\udf10"}"#),
            [search(#"{"q": "\u00e4\ud83c\udf10"}"#)]
        ),
        ToolResponse("unicode around", "\u{1f310} \u{e4}:\n" + call, [.text("\u{1f310} \u{e4}:"), weather]),
        ToolResponse("a line break in a string", searching("{\"q\": \"a\nb\"}"), [search(#"{"q": "a\nb"}"#)]),
        ToolResponse("a tab in a string", searching("{\"q\": \"a\tb\"}"), [search(#"{"q": "a\tb"}"#)]),
        ToolResponse("an escaped line break", searching("{\"q\": \"a\\\nb\"}"), [search(#"{"q": "a\nb"}"#)]),
        ToolResponse(
            "arguments as text",
            tagged(#"{"name": "search", "arguments": "{\"q\": 1}"}"#),
            [search(#"{"q": 1}"#)]
        ),
        ToolResponse("parameters", tagged(#"{"name": "search", "parameters": {"q": 1}}"#), [search(#"{"q": 1}"#)]),
        ToolResponse("args", tagged(#"{"tool": "search", "args": {"q": 1}}"#), [search(#"{"q": 1}"#)]),
        ToolResponse("input", tagged(#"{"name": "search", "input": {"q": 1}}"#), [search(#"{"q": 1}"#)]),
        ToolResponse(
            "OpenAI's form",
            tagged(#"{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{\"q\": 1}"}}"#),
            [search(#"{"q": 1}"#)]
        ),
        ToolResponse("functions.", tagged(#"{"name": "functions.search", "arguments": {}}"#), [search("{}")]),
        ToolResponse("an array", tagged("[\(json), \(json)]"), [weather, weather]),
        ToolResponse("two in a tag", tagged(json + "\n" + json), [weather, weather]),
        ToolResponse("two with a comma", tagged(json + ",\n" + json), [weather, weather]),
        ToolResponse("a code block in the tag", "<tool_call>\n```json\n\(json)\n```\n</tool_call>", [weather]),
        ToolResponse("no closing tag", "<tool_call>\n" + json, [weather]),
        ToolResponse("half a closing tag", "<tool_call>\n" + json + "\n</tool", [weather]),
        ToolResponse(
            "the opening tag for the closing",
            "<tool_call>" + json + "<tool_call>",
            [weather, .text("<tool_call>")]
        ),
        ToolResponse("no closing tag, two", "<tool_call>\(json)\n<tool_call>\(json)", [weather, weather]),
        ToolResponse("a brace too many", tagged(json + "}"), [weather]),
        ToolResponse("a brace too few", tagged(String(json.dropLast())), [weather]),
        ToolResponse("two braces too few", tagged(String(json.dropLast(2))), [weather]),
        ToolResponse("a tag twice", "<tool_call><tool_call>" + json + "</tool_call></tool_call>", [weather]),
        ToolResponse("an own result", call + "\n<tool_response>\nrain\n</tool_response>\nIt rains.", [weather]),
        ToolResponse("a stray tag", "a < b <tool " + call, [.text("a < b <tool"), weather]),
        ToolResponse("a tag begun twice", "<tool_<tool_call>" + json + "</tool_call>", [.text("<tool_"), weather]),
        ToolResponse("behind a code block", "```\nx\n```\n" + call, [.text("```\nx\n```"), weather]),
        ToolResponse("behind code within the line", "use `x` " + call, [.text("use `x`"), weather]),
        ToolResponse("behind a stray backtick", "it`s odd\n" + call, [.text("it`s odd"), weather]),
        ToolResponse("behind code of two backticks", "``a`b`` " + call, [.text("``a`b``"), weather]),
        ToolResponse("behind tildes", "~~~\n```\n~~~\n" + call, [.text("~~~\n```\n~~~"), weather]),
        ToolResponse("all in a code block", "```\n\(call)\n```", [weather]),
        ToolResponse("all in a code block of JSON", "```json\n\(json)\n```\n", [weather]),
        ToolResponse("all in an open code block", "```xml\n\(call)", [weather]),
        ToolResponse("two in a code block", "```\n\(call)\n\(call)\n```", [weather, weather]),
        ToolResponse("bare", json, [weather]),
        ToolResponse("bare, spaces", " \n" + json + "\n", [weather]),
        ToolResponse("bare, two", json + "\n" + json, [weather, weather]),
        ToolResponse("bare, an array", "[" + json + "]", [weather]),
        ToolResponse("bare, parameters", #"{"name":"search","parameters":{}}"#, [search("{}")]),
    ]

    private static let broken: [ToolResponse] = [
        unusable("half a call", "<tool_call>\n{\"name\": \"get_wea"),
        unusable("half of the arguments", "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"q\": \"abc"),
        unusable("a comma too many", tagged(#"{"name": "search", "arguments": {"q": 1,}}"#)),
        unusable("single quotes", tagged("{'name': 'search', 'arguments': {}}")),
        unusable("names without quotes", tagged("{name: \"search\", arguments: {}}")),
        unusable("a comment", tagged("{\"name\": \"search\", // now\n \"arguments\": {}}")),
        unusable("Python's values", tagged(#"{"name": "search", "arguments": {"q": None}}"#)),
        unusable("an unknown tool", tagged(#"{"name": "delete_all", "arguments": {}}"#)),
        unusable("a tool of another case", tagged(#"{"name": "Search", "arguments": {}}"#)),
        unusable("no name", tagged(#"{"arguments": {"q": 1}}"#)),
        unusable("a name that is a number", tagged(#"{"name": 1, "arguments": {}}"#)),
        unusable("arguments that are an array", tagged(#"{"name": "search", "arguments": [1]}"#)),
        unusable("arguments that are a number", tagged(#"{"name": "search", "arguments": 1}"#)),
        unusable("arguments that are words", tagged(#"{"name": "search", "arguments": "now"}"#)),
        unusable("flat arguments", tagged(#"{"name": "search", "q": 1}"#)),
        unusable("the name as the key", tagged(#"{"search": {"q": 1}}"#)),
        unusable("a function in a function", tagged(#"{"function": {"function": {"name": "search"}}}"#)),
        unusable("an empty object", tagged("{}")),
        unusable("an empty array", tagged("[]")),
        unusable("an array of others", tagged("[1]")),
        unusable("one of two is unknown", tagged("[\(json), {\"name\": \"x\", \"arguments\": {}}]")),
        unusable("a missing property", tagged(#"{"name": "get_weather", "arguments": {}}"#)),
        unusable("a property too many", tagged(#"{"name": "get_weather", "arguments": {"city": "a", "x": 1}}"#)),
        unusable("a wrong type", tagged(#"{"name": "get_weather", "arguments": {"city": 1}}"#)),
        unusable("a wrong value", tagged(#"{"name": "get_weather", "arguments": {"city": "a", "unit": "x"}}"#)),
        unusable("a tag in the JSON", tagged(#"{"name": "search", "arguments": <b>}"#)),
        unusable("an open string", tagged(#"{"name": "search", "arguments": {"q": "a}}"#)),
        unusable("bare, broken", #"{"name": "search", "arguments": {"q": 1,}}"#),
        unusable("bare, half", #"{"name": "search", "arg"#),
        unusable("parameters as tags", "<function=search>\n<parameter=q>\nx\n</parameter>\n</function>"),
        ToolResponse("a text before", "So:\n" + tagged("{a}"), [.text("So:\n"), .broken(tagged("{a}"))]),
        ToolResponse("a text behind", tagged("{a}") + "\nSo.", [.broken(tagged("{a}") + "\n"), .text("So.")]),
        ToolResponse("a good one behind", tagged("{a}") + "\n" + call, [.broken(tagged("{a}") + "\n"), weather]),
        ToolResponse("a good one before", call + tagged("{a}"), [weather, .broken(tagged("{a}"))]),
        ToolResponse("two", tagged("{a}") + tagged("{b}"), [.broken(tagged("{a}")), .broken(tagged("{b}"))]),
    ]

    private static let texts: [ToolResponse] = [
        same("empty tag", "<tool_call></tool_call>"), same("a word in the tag", "<tool_call>search</tool_call>"),
        same("about the tag", "The <tool_call> tag begins a call, and </tool_call> ends it."),
        same("the tag alone", "<tool_call>"), same("half a tag", "<tool_ca"), same("one byte of it", "a <"),
        same("the closing tag alone", "a</tool_call>b"), same("a result alone", "<tool_response>x</tool_response>"),
        same("plain", "It rains in Paris."), same("spaces", "  a  b \n\n"), same("only spaces", " \n "),
        same("unicode", "\u{4e2d}\u{6587} \u{1f310} e\u{301}"), same("HTML", "<b>bold</b> <table><tr>"),
        same("arrays", "[1, 2], [TOOL], [TOOL_CAL]"), same("comparisons", "1 < 2 << 3 <= 4"),
        same("JSON", #"{"city": "Paris"}"#), same("JSON with a name", #"{"name": "Ann", "age": 3}"#),
        same("JSON of an unknown tool", #"{"name": "x", "arguments": {}}"#), same("an array", "[1, 2]"),
        same("a code block", "```swift\nlet a = [1]\n```"), same("JSON in a code block", "```json\n{\"a\": 1}\n```"),
        same("an unknown tool in a code block", "```json\n{\"name\": \"x\"}\n```"),
        same("a link", "[TOOL](http://x) <http://x>"), same("a call in words", "I call search(q=1)."),
        same("another function", "<function=other>{}</function>"), same("other tags", "<function_bar> <invoke> <|x|>"),
        same("Markdown", "# A\n\n- b\n- `c`\n\n> d\n"), same("backticks", "``` ` `` ````"),
        same("JSON behind a text", "So: " + json), same("an open code block", "```\n<tool_call>"),
        same("a call in a code block, and more", "```\n\(call)\n```\nThat is the form."),
        same("a JSON call in a code block, and more", "```json\n\(json)\n```\nSo it looks."),
        same("a broken call in a code block", "```\n\(tagged("{a}"))\n```"),
    ]

    /// The ways in which models write the same call.
    private static let written: [(String, String)] = [
        ("asked", call), ("one line", "<tool_call>\(json)</tool_call>"),
        ("compact", #"<tool_call>{"name":"get_weather","arguments":{"city": "Paris"}}</tool_call>"#),
        ("parameters", tagged(#"{"name": "get_weather", "parameters": {"city": "Paris"}}"#)),
        ("plural", "<tool_calls>\n[\(json)]\n</tool_calls>"),
        ("wrapped", "<tool_calls>\n\(call)\n</tool_calls>"),
        ("function_call", "<function_call>\n\(json)\n</function_call>"),
        ("function_calls", "<function_calls>\n[\(json)]\n</function_calls>"),
        ("bars", "<|tool_call|>\(json)<|/tool_call|>"), ("python tag", "<|python_tag|>\(json)"),
        ("Mistral", "[TOOL_CALLS][\(json)]"), ("Mistral, spaced", "[TOOL_CALLS] [\(json)]"),
        ("brackets", "[TOOL_CALL]\(json)[/TOOL_CALL]"),
        ("Llama", #"<function=get_weather>{"city": "Paris"}</function>"#),
        ("invoke", #"<invoke name="get_weather">{"city": "Paris"}</invoke>"#),
        (
            "invoke, wrapped",
            "<function_calls>\n<invoke name=\"get_weather\">{\"city\": \"Paris\"}</invoke>\n</function_calls>"
        ),
        ("fenced", "<tool_call>\n```\n\(json)\n```\n</tool_call>"),
        ("a brace too few", tagged(String(json.dropLast()))),
    ]

    private static let forms: [ToolResponse] = written.map { ToolResponse($0.0, $0.1, [weather]) }

    private static let positions: [ToolResponse] = written.flatMap { name, form in
        [
            ToolResponse(name + " behind a text", "I look.\n\n" + form, [.text("I look."), weather]),
            ToolResponse(name + " behind unicode", "\u{1f310}\u{e4}: " + form, [.text("\u{1f310}\u{e4}:"), weather]),
            ToolResponse(name + " behind code", "```\na\n```\n`b` " + form, [.text("```\na\n```\n`b`"), weather]),
            ToolResponse(name + " twice", form + "\n" + form, [weather, weather]),
            ToolResponse(name + " before a text", form + "\nSo.", [weather, .text("\nSo.")]),
        ]
    }

    private static let quotes: [ToolResponse] = written.filter { $0.0 != "fenced" }.flatMap { name, form in
        [
            same(name + " quoted", "Write this:\n```\n\(form)\n```\nThat is all."),
            same(name + " quoted at the end", "Write this:\n\n```xml\n\(form)\n```"),
            same(name + " quoted by tildes", "Write this:\n~~~\n\(form)\n~~~"),
            same(name + " quoted in a line", "Write `\(form.filter { $0 != "\n" })` for a call."),
        ]
    }

    private static let large: [ToolResponse] = {
        let text = String(repeating: "line \u{4e2d} \\n", count: 8_000)
        let long = "{\"code\": \"\(text)\"}"
        return [
            ToolResponse("100 KB", tagged("{\"name\": \"search\", \"arguments\": \(long)}"), [search(long)]),
            ToolResponse(
                "100 KB, half",
                "<tool_call>{\"name\": \"search\", \"arguments\": {\"q\": \"" + text,
                [.broken("<tool_call>{\"name\": \"search\", \"arguments\": {\"q\": \"" + text)]
            ),
            same("100 KB of text", text),
            same("a call without an end", "<tool_call>{\"q\": \"" + String(repeating: "a", count: 1_200_000)),
        ]
    }()
}
