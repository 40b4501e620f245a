import Engine
import Upstream

/// Functions that write the output items of the Responses API as JSON.
enum OutputItem {
    struct Message {
        var isRefusal = false
        var phase: ChatMessage.Phase?
        /// The annotations of the text, each a JSON object.
        var annotations: [Body] = []
    }

    /// Appends a complete output item of the type `message`.
    /// - Parameter text: the text; nil if the message has no content yet.
    static func append(
        _ message: Message,
        _ text: UnsafeRawBufferPointer?,
        _ id: String,
        _ status: StaticString,
        to out: inout ByteBuffer
    ) {
        open("message", id, status: status, to: &out)
        out.append(#","role":"assistant","content":["#)
        if let text { append(part: text, of: message, to: &out) }
        out.append("]")
        if let phase = message.phase { out.append(#","phase":""#, phase.rawValue, "\"") }
        out.append("}")
    }

    static func append(part text: UnsafeRawBufferPointer, of message: Message, to out: inout ByteBuffer) {
        if message.isRefusal {
            out.append(#"{"type":"refusal","refusal":"#)
        } else {
            out.append(#"{"type":"output_text","annotations":["#)
            out.append(list: message.annotations) { annotation, out in out.append(annotation.bytes) }
            out.append(#"],"logprobs":[],"text":"#)
        }
        out.append(json: text)
        out.append("}")
    }

    /// Appends a complete output item of the type `reasoning`.
    /// - Parameters:
    ///   - text: the reasoning; empty if the item has no content yet.
    ///   - isSummary: whether the text is the item's summary rather than its content.
    static func append(
        reasoning text: UnsafeRawBufferPointer,
        isSummary: Bool,
        signature: UnsafeRawBufferPointer,
        _ id: String,
        _ status: StaticString,
        to out: inout ByteBuffer
    ) {
        open("reasoning", id, status: status, to: &out)
        out.append(isSummary ? #","summary":["# : #","summary":[],"content":["#)
        if !text.isEmpty { append(reasoningBlock: text, isSummary: isSummary, to: &out) }
        out.append("]")
        if !signature.isEmpty { out.append(#","encrypted_content":"#, json: signature) }
        out.append("}")
    }

    static func append(_ reasoningBlock: ReasoningBlock, isSummary: Bool, _ id: String, to out: inout ByteBuffer) {
        var (text, signature) = (reasoningBlock.text, reasoningBlock.signature ?? "")
        if reasoningBlock.isSealed { signature = ReasoningBlock.itemContent(signature) }
        text.withUTF8 { text in
            signature.withUTF8 { signature in
                if let item = ReasoningBlock.item(in: UnsafeRawBufferPointer(signature)) { return out.append(item) }
                append(
                    reasoning: UnsafeRawBufferPointer(text),
                    isSummary: isSummary,
                    signature: UnsafeRawBufferPointer(signature),
                    id,
                    "completed",
                    to: &out
                )
            }
        }
    }

    static func append(compaction content: String, _ id: String, to out: inout ByteBuffer) {
        out.append(#"{"id":"#, json: id)
        out.append(#","type":"compaction","encrypted_content":"#, json: content, "}")
    }

    static func append(reasoningBlock text: UnsafeRawBufferPointer, isSummary: Bool, to out: inout ByteBuffer) {
        out.append(isSummary ? #"{"type":"summary_text","text":"# : #"{"type":"reasoning_text","text":"#, json: text)
        out.append("}")
    }

    /// Appends a complete output item for a tool call.
    /// - Parameter arguments: the arguments as JSON text, or a custom tool's input.
    static func append(
        call name: ToolNames.Name,
        callID: UnsafeRawBufferPointer,
        arguments: UnsafeRawBufferPointer,
        _ id: String,
        _ status: StaticString,
        to out: inout ByteBuffer
    ) {
        open(name.isCustom ? "custom_tool_call" : "function_call", id, status: status, to: &out)
        out.append(#","call_id":"#, json: callID)
        if let space = name.space { out.append(#","namespace":"#, json: space) }
        out.append(#","name":"#, json: name.name)
        out.append(name.isCustom ? #","input":"# : #","arguments":"#, json: arguments, "}")
    }

    static func append(
        _ call: ToolCall,
        _ name: ToolNames.Name,
        id: String,
        status: StaticString,
        to out: inout ByteBuffer
    ) {
        func add(_ text: UnsafeRawBufferPointer) {
            (call.id ?? "").withBytes { append(call: name, callID: $0, arguments: text, id, status, to: &out) }
        }
        call.arguments.withBytes { if name.isCustom { ToolNames.input(of: $0, add) } else { add($0) } }
    }

    private static func open(_ type: StaticString, _ id: String, status: StaticString, to out: inout ByteBuffer) {
        out.append(#"{"id":"#, json: id)
        out.append(#","type":""#, type, #"","status":""#)
        out.append(status)
        out.append("\"")
    }
}

extension ToolNames.Name {
    var itemType: ItemType { isCustom ? .customCall : .functionCall }
}
