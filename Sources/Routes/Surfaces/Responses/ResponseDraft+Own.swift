import Engine
import Shared
import Upstream

/// Functions that read the parts of a request that only OpenAI's Responses API knows.
extension ResponseDraft {
    /// Reads `tool_choice`. Keeps the value as it came if it may concern tools that only the Responses API knows.
    func read(_ choice: JSONValue, _ chatOptions: inout ChatOptions, _ own: inout OwnParts) throws(APIError) {
        let type = choice.text ?? choice["type"]?.text
        let isPlain = type == "auto" || type == "none" || type == "function" || type == "custom"
        do throws(APIError) {
            if own.tools.isEmpty || isPlain {
                return try ToolDemandReader(choice, chatOptions.tools).read(&chatOptions)
            }
        } catch {
            guard passesOwn, error.code?.isSame(as: "unsupported_value") ?? false else { throw error }
            own.refusal = own.refusal ?? error
        }
        own.toolChoice = choice.body
    }

    /// Settles whether the call needs a vendor that knows all input items. Leaves out unknown items if none may go on.
    mutating func settleOwnItems() {
        guard let refusal = input.settleOwnItems(passesOwn) else { return }
        call.needs.insert(.ownItems)
        var chatOptions = call.chatOptions
        var own = chatOptions.own?.value ?? OwnParts()
        own.refusal = own.refusal ?? refusal
        chatOptions.own = Indirect(own)
        call.chatOptions = chatOptions
    }
}

extension OwnParts {
    /// Keeps the fields of the request, of `reasoning` and of `text` that only the Responses API knows.
    /// - Parameter limitsSearches: whether `max_tool_calls` is an option of the web search, and is not kept.
    mutating func readFields(_ fields: RequestFields, limitsSearches: Bool) {
        // The relay checks these, but their effect is the vendor's.
        let checked: [StaticString] = limitsSearches ? ["truncation"] : ["truncation", "max_tool_calls"]
        let passed = checked.filter { fields[$0] != nil }
        self.fields = fields.unknown { name in
            FieldNames.isOfResponses(name) && !passed.contains { name.equals($0) }
        }
        var words = ByteBuffer()
        for word in fields["include"]?.elements ?? JSONElements() where word.text != "reasoning.encrypted_content" {
            words.append(",")
            word.append(to: &words)
        }
        include = words.isEmpty ? nil : Body(words)
        reasoning = fields["reasoning"]?.members.flatMap { RequestFields.unknown($0, FieldNames.isOfReasoning) }
        text = fields["text"]?.members.flatMap { RequestFields.unknown($0, FieldNames.isOfText) }
    }
}
