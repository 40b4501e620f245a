import Engine
import Shared
import Upstream

/// The names of tools that the model sees differently from the client: custom tools and tools in namespaces.
struct ToolNames: Sendable {
    struct Name: Sendable {
        let name: String
        let space: String?
        /// Whether the tool is a custom tool, whose input is free text instead of JSON arguments.
        let isCustom: Bool

        init(_ name: String, _ space: String? = nil, isCustom: Bool = false) {
            self.name = name
            self.space = space
            self.isCustom = isCustom
        }
    }

    /// The tools in a namespace and the custom tools, by the names that the model sees.
    private var special: [[UInt8]: Name] = [:]

    init() {}

    static func offered(_ name: String, in space: String?) -> String { space.map { "\($0)__\(name)" } ?? name }

    mutating func add(_ name: Name, offeredAs offered: String) {
        if name.isCustom || name.space != nil { special[Array(offered.utf8)] = name }
    }

    mutating func merge(_ others: ToolNames) { special.merge(others.special) { own, _ in own } }

    subscript(_ offered: UnsafeRawBufferPointer) -> Name {
        if !special.isEmpty, let name = special[Array(offered)] { return name }
        return Name(offered.text)
    }

    /// Creates the names of the custom tools in the request `root`; empty if its `call` needs no tools.
    init(customOf root: JSONValue, ifCalledBy call: borrowing ChatCall) {
        guard call.needs.contains(.tools) else { return }
        for tool in root["tools"]?.elements ?? JSONElements() where tool["type"]?.text == "custom" {
            guard let name = (tool["custom"] ?? tool)["name"]?.string else { continue }
            add(Name(name, isCustom: true), offeredAs: name)
        }
    }

    func isCustom(_ offered: String) -> Bool {
        guard !special.isEmpty else { return false }
        return special[Array(offered.utf8)]?.isCustom ?? false
    }

    /// Returns JSON arguments that contain the input of a custom tool, such as `{"input":"text"}`.
    static func arguments(ofInput input: String) -> String {
        var arguments = ByteBuffer(#"{"input":"#)
        arguments.append(json: input)
        arguments.append("}")
        return arguments.text
    }

    /// Passes the input in a custom tool's JSON arguments to `body`. Without an input, passes the arguments themselves.
    ///
    /// The bytes are valid only until `body` returns.
    static func input(of arguments: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        var copy = ByteBuffer()
        copy.append(arguments)
        if JSONParser.read(copy.bytes, { body($0["input"]?.text ?? arguments) }) == nil { body(arguments) }
    }
}

extension ChatOptions.Tool {
    /// Converts a custom tool into a function with one text argument.
    init(custom value: JSONValue, _ param: String) throws(APIError) {
        var description = ByteBuffer(try value.string("description", param) ?? "")
        if let format = try value.object("format", param), try format.string("type", "\(param).format") == "grammar" {
            // Chat completions put the grammar into an object of its own.
            let inner = try format.object("grammar", "\(param).format")
            let (grammar, param) = (inner ?? format, inner == nil ? "\(param).format" : "\(param).format.grammar")
            description.append("\n\nThe input is text of this grammar (")
            description.append(try grammar.string("syntax", param) ?? "lark")
            description.append("):\n")
            description.append(try grammar.string("definition", param) ?? "")
        }
        self.init(
            .function,
            name: try value.toolName(param),
            description: description.text,
            schema: Body(
                ByteBuffer(
                    #"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#
                )
            ),
            isStrict: true
        )
    }
}
