package import Engine

/// The tools of a chat call, for a vendor that supports only text. The prompt asks for tool calls in this form, which
/// the models Hermes and Qwen use:
///
/// ```
/// <tool_call>
/// {"name": "get_weather", "arguments": {"city": "Paris"}}
/// </tool_call>
/// ```
package struct ToolProtocol: Sendable {
    package let tools: [ToolDefinition]
    package let demand: ToolDemand
    package let isParallel: Bool

    package init(_ tools: [ToolDefinition], demand: ToolDemand = .auto, isParallel: Bool = true) {
        self.tools = tools
        self.demand = demand
        self.isParallel = isParallel
    }

    /// Appends the instructions for the tools, which become a part of the system prompt. They do not depend on the tool
    /// that the request demands, because vendors cache the beginning of a prompt.
    package func appendInstructions(to buffer: inout ByteBuffer) {
        buffer.append(
            """
            # Tools

            You can call the tools below. Each line between <tools> and </tools> describes one as JSON: its name, what \
            it does, and the JSON Schema of its arguments.

            <tools>

            """
        )
        for tool in tools { append(tool, to: &buffer) }
        buffer.append(
            """
            </tools>

            To call a tool, write exactly this, on lines of its own:

            <tool_call>
            {"name": "TOOL_NAME", "arguments": {"ARGUMENT": "VALUE"}}
            </tool_call>

            Rules:
            - The text between the tags is one JSON object with the keys "name" and "arguments". "arguments" is a JSON \
            object that fits the tool's schema; it is {} if the tool takes none.
            - Write real calls outside of code blocks, and nothing after them: stop there. The results come in the next \
            message, between <tool_response> and </tool_response>. Never write results yourself.
            - Use only tools that are listed, by their exact names. Do not guess arguments that you do not know.

            """
        )
        buffer.append(
            isParallel
                ? "- To call several tools, write several <tool_call> blocks, one after the other.\n"
                : "- Write at most one <tool_call> block in an answer.\n"
        )
        buffer.append("- If no tool is needed, answer in plain text without these tags.\n")
    }

    /// Appends the demand for a tool call, which follows the conversation. Appends nothing if the request demands none.
    package func appendDemand(to buffer: inout ByteBuffer) {
        switch demand {
        case .auto: break
        case .required: buffer.append("You must call at least one tool now. Write the call and nothing else.\n")
        case .named(let name):
            buffer.append("You must call the tool ", json: name, " now. Write the call and nothing else.\n")
        }
    }

    private func append(_ tool: ToolDefinition, to buffer: inout ByteBuffer) {
        buffer.append(#"{"name": "#, json: tool.name)
        if let description = tool.description { buffer.append(#", "description": "#, json: description) }
        buffer.append(#", "parameters": "#)
        if let parameters = tool.parameters {
            var line = ByteBuffer(parameters)
            line.putOnOneLine()
            buffer.append(line.bytes)
        } else {
            buffer.append(#"{"type": "object"}"#)
        }
        buffer.append("}\n")
    }

    /// Appends a tool call that a model has made, as text. Blank arguments become `{}`.
    package static func append(call name: String, arguments: String, id: String?, to buffer: inout ByteBuffer) {
        buffer.append("<tool_call>\n{\"name\": ", json: name)
        buffer.append(#", "arguments": "#)
        buffer.append(arguments.utf8.contains { $0 > 32 } ? arguments : "{}")
        if let id { buffer.append(#", "id": "#, json: id) }
        buffer.append("}\n</tool_call>\n")
    }

    /// Appends the result of a tool call as text. A closing tag within the result is escaped.
    package static func append(
        result: String,
        ofCall id: String?,
        name: String?,
        isError: Bool = false,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("<tool_response")
        if let id { buffer.append(" id=", json: id) }
        if let name { buffer.append(" name=", json: name) }
        buffer.append(isError ? " error=\"true\">\n" : ">\n")
        let text = ByteBuffer(result)
        var scan = ByteScan(text.bytes)
        var start = 0
        while scan.find("</tool_response") {
            buffer.append(text.bytes[part: start..<(scan.offset - 15)])
            buffer.append("\\")
            start = scan.offset - 15
        }
        buffer.append(text.bytes[part: start..<text.count])
        buffer.append("\n</tool_response>\n")
    }

    /// Returns the text of a user message that asks the model to correct an invalid tool call.
    package func repair(_ reason: String) -> String {
        """
        Your last answer does not contain a valid tool call: \(reason). Answer again with the corrected call only, in \
        this form, and nothing else:

        <tool_call>
        {"name": "TOOL_NAME", "arguments": {}}
        </tool_call>
        """
    }
}
