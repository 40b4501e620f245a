import Engine

/// The open rule: an optional field that a server refuses is left out, and a number above a bound is lowered, whatever
/// the vendor and the field.
extension Refusal {
    /// The finding of the open rule; nil if it does not apply.
    var openFinding: QuirkFinding? { findingOfNames ?? findingOfBound ?? findingOfFields ?? findingOfEffort }

    /// The finding that two tools of one name are refused, of which the first is then sent.
    var findingOfNames: QuirkFinding? {
        guard words.quote("tool") || words.quote("function"), words.containsAny(of: ["unique", "duplicate"]) else {
            return nil
        }
        return new(QuirkFinding([FieldChange("tools", .distinct)]))
    }

    // MARK: Fields

    /// The finding that messages have members with the name of one of the request's own fields, which are left out before
    /// that field is judged: it may serve others, who do not send such members.
    var findingOfStrayMembers: QuirkFinding? {
        guard isUnsupported else { return nil }
        let stray = request.fieldPaths.filter { path in
            path.count == 2 && Self.groups.contains([path[0]]) && isOptional(path) && request.value(at: path[1]) != nil
                && (path[1] == "seed" || !isOptional([path[1]])) && isNamed(path)
        }
        if stray.isEmpty { return nil }
        var finding = finding(.drop, at: stray)
        finding.isOfPair = true
        return finding
    }

    /// The finding that optional fields are refused, which are then left out.
    var findingOfFields: QuirkFinding? {
        guard isUnsupported else { return nil }
        let named = refusedFields
        guard !named.isEmpty else { return findingOfStrict }
        var finding = finding(.drop, at: named)
        finding.isOfPair = named.allSatisfy { $0.first == "messages" || $0.first == "input" }
        return finding
    }

    private var findingOfStrict: QuirkFinding? {
        guard request["tools"] != nil, words.name("strict") else { return nil }
        return new(finding(.drop, at: [["tools", "strict"], ["tools", "function", "strict"]]))
    }

    /// The optional fields that the error names: all of them, or if the words contain a condition, the first one or
    /// those outside of the condition.
    private var refusedFields: [[String]] {
        let fields = request.fieldPaths
        let optional = fields.filter(isOptional)
        var seen: Set<[String]> = []
        let named = namesOfError.flatMap { name -> [[String]] in
            if name.parts.count == 1 { return optional.first { name.names($0) }.map { [$0] } ?? [] }
            // Words about a part that the caller has named, such as a key of `metadata`, are about the whole.
            if params.isEmpty, !fields.contains(where: name.names) {
                return optional.filter { $0 == [name.parts[0]] }
            }
            // A member that is refused in one part of a conversation is refused in all parts.
            let isInner = Self.conversation.contains(name.parts[0])
            return optional.filter { path in
                name.names(path) || isInner && Self.conversation.contains(path[0]) && path.last == name.parts.last
            }
        }
        .filter { seen.insert($0).inserted }
        guard params.isEmpty, combination.isCondition else { return named }
        let leading = combination.leading
        let others = named.filter { !leading.contains($0.joined(separator: ".")) }
        return leading.isEmpty || others.isEmpty ? Array(named.prefix(1)) : others
    }

    /// The names of fields in the error's `param`, or in its message.
    private var namesOfError: [RefusalWords.FieldName] {
        if !params.isEmpty { return params.map { RefusalWords.FieldName($0) }.filter { !$0.parts.isEmpty } }
        // The word "user" may also mean the role of a message.
        let isOfRole = words.say("role") || words.quote("role:user")
        return words.fieldNames.filter { !isOfRole || $0.parts != ["user"] }
    }

    func isNamed(_ path: [String]) -> Bool { namesOfError.contains { $0.names(path) } }

    /// Returns whether a request means the same without the field, or nearly so.
    private func isOptional(_ path: [String]) -> Bool {
        let (parent, name) = (path.dropLast(), path[path.count - 1])
        if parent.isEmpty {
            // A group of fields stays if one of them must stay.
            let inner = request.value(at: name)?.members.map { path + [$0.name.text] } ?? []
            return !Self.essential.contains(name)
                && inner.allSatisfy { $0[1] == "effort" || !Self.essential.contains($0[1]) }
        }
        guard Self.conversation.contains(path[0]) else { return !path.contains(where: Self.essential.contains) }
        if path.contains(where: Self.hints.contains) { return true }
        // Content, tools of a vendor's own and schemas stay as they are.
        guard Self.groups.contains(Array(parent)) else { return false }
        return name == "name" || name == "id"
            ? parent.count == 1 && parent[0] != "contents" : !Self.parts.contains(name)
    }

    private static let conversation: Set = ["messages", "input", "tools", "system", "contents"]
    /// The fields without which a response would be another one.
    private static let essential: Set = [
        "model", "messages", "input", "prompt", "contents", "system", "systemInstruction", "instructions", "tools",
        "functions", "tool_choice", "toolConfig", "function_call", "response_format", "format", "stream", "n", "stop",
        "stop_sequences", "stopSequences", "max_tokens", "max_completion_tokens", "max_output_tokens",
        "maxOutputTokens", "candidateCount", "modalities", "responseModalities", "audio", "web_search_options",
        "logprobs", "top_logprobs", "logit_bias", "previous_response_id", "conversation", "background",
        "responseMimeType", "responseSchema", "responseJsonSchema", "effort", "reasoning_effort", "strict",
        "dimensions",
    ]
    /// The places in a conversation where fields of any name are optional: messages, calls of tools, and functions.
    private static let groups: Set = [
        ["messages"], ["input"], ["contents"], ["messages", "tool_calls"], ["tools", "function"],
        ["tools", "functionDeclarations"],
    ]
    /// The fields that make up a message, an item, a call of a tool or a function.
    private static let parts: Set = [
        "role", "content", "parts", "type", "tool_calls", "function", "tool_call_id", "call_id", "arguments", "input",
        "output", "custom", "action", "result", "results", "queries", "code", "parameters", "parametersJsonSchema",
        "description", "function_call", "audio", "refusal", "encrypted_content",
    ]
    /// The fields of content and of tools without which a model reads the same.
    private static let hints: Set = [
        "cache_control", "copilot_cache_control", "detail", "strict", "annotations", "citations", "logprobs",
        "filename", "title", "caller", "index", "extra_content", "parsed_arguments", "min_pixels", "max_pixels",
        "mediaResolution", "displayName", "defer_loading", "eager_input_streaming", "input_examples",
        "search_context_size", "user_location",
    ]
}

extension RawJSON {
    /// The paths of a request's fields, outer ones first. Data of the caller, such as schemas, has none.
    var fieldPaths: [[String]] {
        var (paths, seen) = ([[String]](), Set<[String]>())
        func visit(_ value: RawJSON, _ path: [String]) {
            for element in value.elements { visit(element, path) }
            for member in value.members {
                let inner = path + [member.name.text]
                guard member.name.count <= 64, !member.name.contains(UInt8(ascii: ".")) else { continue }
                if seen.insert(inner).inserted { paths.append(inner) }
                let isOfCaller = Self.data.contains(inner[inner.count - 1]) || !path.isEmpty && inner.last == "input"
                if inner.count < Self.maxDepth, !isOfCaller { visit(member.value, inner) }
            }
        }
        visit(self, [])
        return paths.sorted { $0.count < $1.count }
    }

    private static let maxDepth = 4
    private static let data: Set = [
        "arguments", "parameters", "input_schema", "schema", "json_schema", "logit_bias", "chat_template_kwargs",
        "metadata", "parametersJsonSchema", "args", "response",
    ]
}
