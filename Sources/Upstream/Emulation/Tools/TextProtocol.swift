import Engine
package import Shared

/// The tools and the output format that the prompt of a call describes, because the vendor does not support them.
package struct TextProtocol: Sendable {
    let tools: ToolProtocol?
    let format: FormatProtocol?
    /// Whether the client gets output only after validation.
    let requiresValidOutput: Bool
    /// Whether the call is made again with this prompt, because the vendor's own response was invalid. A further
    /// invalid response is not repaired.
    let isRepair: Bool

    /// Creates the protocol for the tools and the format that the vendor lacks. Returns nil if the vendor supports all
    /// that the call needs. Throws if a JSON Schema cannot be used.
    package init?(_ call: borrowing ChatCall, lacking abilities: Abilities, isRepair: Bool = false) throws(APIError) {
        let needed = call.needs.subtracting(abilities)
        let wantsTools = needed.contains(.tools) || needed.contains(.functions)
        let wantsFormat = needed.contains(.objects) || needed.contains(.schemas)
        guard wantsTools || wantsFormat else { return nil }
        let chatOptions = call.chatOptions
        tools = wantsTools ? try ToolProtocol(chatOptions) : nil
        format = wantsFormat ? try FormatProtocol(chatOptions.format) : nil
        self.isRepair = isRepair
        requiresValidOutput = tools.map { $0.demand != .auto } ?? wantsFormat
    }

    /// Returns the call in plain text, with a prompt that describes the tools and the format.
    ///
    /// The tools come before the conversation. The demanded tool call and the format may differ in the next request of
    /// the conversation, so they follow it: vendors cache the beginning of a prompt.
    package func written(_ call: ChatCall) -> ChatCall {
        var call = call
        // The keys are bytes, because hashing a long `String` takes quadratic time.
        var names: [[UInt8]: String] = [:]
        for index in call.messages.indices where tools != nil {
            write(&call.messages[index], &names)
        }
        if let tools {
            var instructions = ByteBuffer()
            tools.appendInstructions(to: &instructions)
            let index = call.messages.leadingInstructions
            call.messages.insert(ChatMessage(role: .system, text: instructions.text), at: index)
        }
        var demand = ByteBuffer()
        tools?.appendDemand(to: &demand)
        if !demand.isEmpty, format != nil { demand.append("\n") }
        format?.appendInstructions(to: &demand)
        if !demand.isEmpty {
            // The model continues an assistant message only if that message is the last one.
            let isContinued = call.messages.last?.role == .assistant
            let index = call.messages.count - (isContinued ? 1 : 0)
            call.messages.insert(ChatMessage(role: .system, text: demand.text), at: index)
        }
        // The indices of the messages have changed.
        call.chatOptions.cacheBreakpoints = []
        if tools != nil { call.chatOptions.tools = [] }
        if format != nil { call.chatOptions.format = .text }
        return call
    }

    private func write(_ message: inout ChatMessage, _ names: inout [[UInt8]: String]) {
        if !message.toolCalls.isEmpty {
            var text = ByteBuffer()
            for call in message.toolCalls {
                if let id = call.id { names[Array(id.utf8)] = call.name }
                ToolProtocol.append(call: call.name, arguments: call.arguments, id: call.id, to: &text)
            }
            if !message.text.isEmpty { message.content.append(.text("\n")) }
            message.content.append(.text(text.text))
            message.toolCalls = []
        } else if message.isResult {
            var text = ByteBuffer()
            let id = message.toolCallID
            let name = id.flatMap { names[Array($0.utf8)] } ?? message.name
            ToolProtocol.append(
                result: message.text,
                ofCall: id,
                name: name,
                isError: message.role == .failedTool,
                to: &text
            )
            // Images of a result stay after its text.
            message.content = [.text(text.text)] + message.content.filter(\.isAttachment)
            message.toolCallID = nil
            if message.role == .failedTool { message.role = .tool }
        }
    }

    /// Returns the call that asks the model to correct an invalid response.
    /// - Parameter call: the original call, as `written(_:)` returned it.
    func repairing(_ call: ChatCall, _ response: String, problem: PromptedToolsResponse.Problem) -> ChatCall {
        var call = call
        call.messages.append(ChatMessage(role: .assistant, text: response))
        let words = problem.isOfDocument ? format?.repair(problem.text) : tools?.repair(problem.text)
        call.messages.append(ChatMessage(role: .user, text: words ?? problem.text))
        return call
    }
}

extension ToolProtocol {
    fileprivate init(_ chatOptions: ChatOptions) throws(APIError) {
        var definitions: [ToolDefinition] = []
        for (index, tool) in chatOptions.tools.enumerated() where tool.kind == .function {
            let path = tool.isLegacy ? "functions[\(index)].parameters" : "tools[\(index)].function.parameters"
            definitions.append(
                ToolDefinition(
                    name: tool.name,
                    description: tool.description,
                    parameters: tool.schema?.text,
                    schema: tool.isStrict == true
                        ? try tool.schema.map { (body) throws(APIError) in try JSONSchema(body, path) } : nil
                )
            )
        }
        let demand = ToolDemand(chatOptions.toolChoice)
        self.init(definitions, demand: demand, isParallel: chatOptions.parallelToolCalls ?? true)
    }
}

extension ToolDemand {
    init(_ choice: ChatOptions.ToolChoice) {
        self =
            switch choice {
            case .auto, .none: .auto
            case .required: .required
            case .named(let name): .named(name)
            }
    }
}

extension FormatProtocol {
    init(_ format: ChatOptions.Format) throws(APIError) {
        guard case .schema(let name, let body?, _) = format else {
            self = .object
            return
        }
        let schema = try JSONSchema(body, "response_format.json_schema.schema")
        self = .schema(schema, text: body.text, name: name)
    }
}

extension JSONSchema {
    init(_ body: Body, _ path: String) throws(APIError) {
        let parser = JSONParser()
        guard let value = try? parser.parse(body.bytes) else { throw .value(path, "it must be a JSON Schema") }
        do throws(SchemaError) {
            // The value is only valid while its parser lives.
            self = try withExtendedLifetime(parser) { () throws(SchemaError) in try JSONSchema(value) }
        } catch {
            throw .value(path, error.text)
        }
    }
}
