import Calls
import Engine
import Shared

/// Names of tools that are not offered to the model as they are: names in a space, and those of custom tools.
struct ToolNames: Sendable {
    struct Name: Sendable {
        let name: String
        let space: String?
        /// It takes free text.
        let isCustom: Bool

        init(_ name: String, _ space: String? = nil, isCustom: Bool = false) {
            self.name = name
            self.space = space
            self.isCustom = isCustom
        }
    }

    /// By the bytes of the name that is offered.
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

    /// Those of custom tools in a chat.
    init(customOf root: JSONValue, ifCalledBy call: borrowing ChatCall) {
        guard call.needs.contains(.tools) else { return }
        for tool in root["tools"]?.elements ?? JSONElements() where tool["type"]?.text == "custom" {
            guard let name = (tool.member("custom") ?? tool)["name"]?.string else { continue }
            add(Name(name, isCustom: true), offeredAs: name)
        }
    }

    func isCustom(_ offered: String) -> Bool {
        guard !special.isEmpty else { return false }
        return special[Array(offered.utf8)]?.isCustom ?? false
    }

    /// The arguments that stand for a custom tool's input.
    static func arguments(ofInput input: String) -> String {
        var arguments = ByteBuffer(#"{"input":"#)
        arguments.append(json: input)
        arguments.append("}")
        return arguments.text
    }

    /// The custom tool's input, of the arguments that a model wrote. Called with what is valid during the call only.
    static func input(of arguments: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
        var copy = ByteBuffer()
        copy.append(arguments)
        let parser = JSONParser()
        let input = (try? parser.parse(copy.bytes))?["input"]?.text
        withExtendedLifetime(parser) { take(input ?? arguments) }
    }
}

extension Wishes.Tool {
    /// A custom tool as a function that takes one text: for the model it is the same.
    init(custom value: JSONValue, _ param: String) throws(APIError) {
        var description = ByteBuffer(try value.string("description", param) ?? "")
        if let format = try value.object("format", param), format["type"]?.text == "grammar" {
            // Chats have the grammar in an object of its own.
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
