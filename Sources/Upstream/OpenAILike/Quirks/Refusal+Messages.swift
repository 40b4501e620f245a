import Engine

extension Refusal {
    /// The finding that tool results may not have images; nil if the error does not say so.
    var findingOfResults: QuirkFinding? {
        guard isUnsupported, words.quote("image"), words.quote("role"),
            request.list("messages").contains(where: \.hasPartsInResult)
        else { return nil }
        return new(ofMessages(.textResults))
    }

    /// The finding for a refused form of messages. It changes only messages of that form, whatever the other fields are.
    var findingOfMessages: QuirkFinding? {
        if words.say("length of 9") || refusesIDs { return ofMessages(.shortIDs) }
        if words.quote("tool_call"), words.say("too long") { return ofMessages(.noLongIDs) }
        if let finding = quirkOfTurns { return finding }
        let messages = request.list("messages")
        if words.quote("thought_signature"), words.say("missing"), messages.contains(where: \.hasCalls) {
            return ofMessages(.anySignature)
        }
        if words.quote("reasoning_content"), words.containsAny(of: ["passed back", "missing", "required"]),
            messages.contains(where: \.lacksReasoning)
        {
            return ofMessages(.reasoningBack)
        }
        if words.quote("developer"), let finding = replacing("developer", by: "system") { return finding }
        if vendorError.names("empty_array") || words.say("empty array"),
            messages.contains(where: { $0["content"]?.isEmptyArray ?? false })
        {
            return ofMessages(.emptyContent)
        }
        if words.quote("content"), words.containsAny(of: ["empty", "blank", "minimum length", "at least 1 char"]),
            messages.contains(where: \.hasEmptyContentBesideCalls)
        {
            return ofMessages(.noEmptyContent)
        }
        // An error of serde without the field's name, such as "messages[0]: invalid type: sequence, expected a string".
        let isOfList = words.quote("messages[") && words.say("invalid type: sequence")
        guard isOfList || words.quote("content") || isLast("content", of: vendorError.param ?? "") else { return nil }
        let isTyped = words.quoteAny(of: ["string", "sequence", "null", "none", "<nil>"])
        guard isTyped || words.say("required") || words.say("missing") else { return nil }
        if !isOfList, messages.contains(where: { $0["content"]?.isNull ?? true }), !known.contains(.emptyContent) {
            return ofMessages(.emptyContent)
        }
        let lists = messages.filter { $0["content"]?.isArray ?? false }
        let isMixed = lists.contains(where: \.hasPartsInResult)
        if isMixed, known.contains(.joinedContent) || lists.allSatisfy(\.hasPartsInResult) {
            return ofMessages(.textResults)
        }
        return lists.isEmpty ? nil : ofMessages(.joinedContent)
    }

    /// The finding that messages of one role get another one; nil if there are none.
    private func replacing(_ role: String, by other: String) -> QuirkFinding? {
        let change = FieldChange("messages.role", .replace(role, by: "\"\(other)\""))
        guard change.concerns(request) else { return nil }
        return QuirkFinding([change], isLasting: !words.areAboutSchema, isOfPair: true)
    }

    private func ofMessages(_ quirk: QuirkName) -> QuirkFinding {
        QuirkFinding(quirk, isLasting: !isOfSchema, isOfPair: true)
    }

    /// The quirk for a refused role or order of the messages; nil if the error is not about them.
    var quirkOfTurns: QuirkFinding? {
        if refusesRole, let finding = replacing("developer", by: "system") { return finding }
        if refusesInstructions { return replacing("system", by: "user") ?? replacing("developer", by: "user") }
        let isOfPrefill = words.containsAny(of: ["assistant message prefill", "with prefix true"])
        if isOfPrefill, request["messages"]?.endsWithPlainPrefill ?? false { return ofMessages(.noPrefill) }
        let isParallel = request.list("messages").contains { $0.list("tool_calls").count > 1 }
        if isParallel, words.say("single tool-call") { return ofMessages(.singleCalls) }
        let isOfOrder = words.containsAny(of: [
            "must alternate", "should alternate", "be alternating", "successive user",
        ])
        let isOfResults = words.quote("unexpected role") && words.name("user") && words.name("tool")
        if isOfResults || isOfOrder && known.contains(.mergedTurns), !known.contains(.answeredResults),
            hasUserAfterResult
        {
            return ofMessages(.answeredResults)
        }
        guard isOfOrder || isSystemMisplaced else { return nil }
        let isMerging = isOfOrder || known.contains(.oneInstruction)
        return known.contains(.mergedTurns) ? nil : ofMessages(isMerging ? .mergedTurns : .oneInstruction)
    }

    private var hasUserAfterResult: Bool {
        let roles = request.list("messages").map { $0["role"]?.content }
        return zip(roles, roles.dropFirst()).contains { $0.0 == "tool" && $0.1 == "user" }
    }

    /// Whether the error refuses characters in the ids of tool calls (Claude): `tool_use.id: String should match pattern`.
    private var refusesIDs: Bool {
        words.say("pattern") && words.quote("tool_")
            && words.quoteAny(of: ["tool_use.id", "tool_result.tool_use_id", "tool_call_id", "].id"])
    }

    /// Whether the error refuses a role without its name, which is the newest one then.
    private var refusesRole: Bool {
        words.containsAny(of: ["unexpected message role", "roles are supported"])
            || words.quote("role") && words.say("has invalid value")
    }

    /// Whether the error says that the model has no instructions.
    private var refusesInstructions: Bool {
        words.containsAny(of: [
            "system role not supported", "system role is not supported", "t support system messages",
            "developer instruction is not enabled", "invalid message role: system",
        ]) || isUnsupported && words.quote("support 'system'") && words.quote("role")
    }

    /// Whether the error is about a system message after the first message.
    private var isSystemMisplaced: Bool {
        guard words.quote("system") || words.name("developer") else { return false }
        let isSaid =
            words.say("system message must be") && (words.say("beginning") || words.say("first"))
            || words.say("unexpected role") && (words.name("system") || words.name("developer"))
            || words.quote("but got system")
            || words.containsAny(of: [
                "only one system message",
                "multiple system messages", "system message must come first", "system messages must come first",
                "system message is only allowed", "system message should be the first",
            ])
        return isSaid
            && request.list("messages").dropFirst().contains { message in
                message["role"]?.content == "system" || message["role"]?.content == "developer"
            }
    }
}
