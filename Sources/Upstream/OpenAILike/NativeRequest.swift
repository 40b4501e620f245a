package import Engine
package import Shared

/// A client's request in OpenAI's format that is forwarded to a server with the same API.
///
/// The relay replaces the model's name, removes its own fields, and requests the usage of streams.
package struct NativeRequest {
    private let original: OriginalRequest
    /// The members of the request; nil if a field is sent twice, or if JSON parsers could differ in another way.
    private let members: [RawJSON.Member]?

    init(_ original: OriginalRequest) {
        self.original = original
        members = original.members
    }

    package init(_ body: Body) { self.init(OriginalRequest(body)) }

    /// Returns the request with the changes that it needs before it goes on. Throws if the request must not be forwarded.
    /// - Parameter hasUnknownParts: whether content parts go on that may use resources of the provider's account, such as
    ///   files.
    func permitted(by check: RequestCheck, hasUnknownParts: Bool = false) throws(APIError) -> NativeRequest {
        let members = members ?? Array(RawJSON(original.bytes).members)
        let changes = try check.changes(
            of: members,
            hasPlainTools: original.hasPlainTools,
            names: original.names.subtracting(.resources)
        )
        if original.names.contains(.resources) { try check.refuseResources(inToolsOf: members) }
        if hasUnknownParts { try check.refuseResources(inUnknownPartsOf: members) }
        return changes.isEmpty ? self : NativeRequest(original.applying(changes))
    }

    /// Throws if an image of an edit has the URL of a file that only the server can read.
    func refuseLocalImages(by check: RequestCheck) throws(APIError) {
        for member in members ?? [] where member.name.equals("images") || member.name.equals("mask") {
            try check.refuseLocalFiles(in: member.value, at: member.name.text)
        }
    }

    /// Returns the client's chat request, adapted for the vendor's server; nil if the request cannot be forwarded in
    /// this way.
    /// - Parameters:
    ///   - model: the vendor's name for the model.
    ///   - isOpenAI: whether the server is OpenAI's or Azure's, which support `max_completion_tokens`.
    func written(for call: borrowing ChatCall, model: String, isOpenAI: Bool) -> Body? {
        guard let members, !original.names.contains(.repeated) else { return nil }
        var out = ByteBuffer()
        _ = out.reserve(original.bytes.count + 256)
        out.append(#"{"model":"#, json: model)
        var (hasMessages, hasOptions, hasBound) = (false, false, hasBounds(members))
        // If the request has both limits, only the one that the server knows is sent.
        let other: StaticString = isOpenAI ? "max_tokens" : "max_completion_tokens"
        let known: StaticString = isOpenAI ? #","max_completion_tokens":"# : #","max_tokens":"#
        let hasBounds = hasBound
        for member in members where !Self.mayBeDisguised(member.name) || !FieldNames.isDisguised(member.name) {
            switch member.name {
            case "model", "num_of_site", "max_word": continue
            case "web_search_options" where member.value.isNull: continue
            case "web_search":
                if call.rare?.value.hasSearchFlag == true { out.append(#","web_search_options":{}"#) }
                continue
            case "new_input", "file_ids":
                guard member.value.isNull else { return nil }
                continue
            case "max_tokens" where hasBounds, "max_completion_tokens" where hasBounds:
                if !member.name.equals(other), let bound = call.maxTokens { out.append(known, decimal: bound) }
                continue
            case "max_tokens" where call.hasLowerBound, "max_completion_tokens" where call.hasLowerBound:
                guard !member.value.isNull, let bound = call.maxTokens else { continue }
                out.append(member: member.name.equals("max_tokens") ? "max_tokens" : "max_completion_tokens")
                out.append(decimal: bound)
                hasBound = true
                continue
            case "tools": guard !call.hasRelayTools else { return nil }
            case "tool_choice" where member.value.content?.equals("any") ?? false:
                out.append(#","tool_choice":"required""#)
                continue
            case "messages":
                hasMessages = true
                if call.hasChangedCallIDs {
                    guard member.value.elements.count(where: { _ in true }) == call.messages.count else { return nil }
                } else if !original.names.contains(.emptyMembers) {
                    break
                }
                out.append(#","messages":"#)
                Self.append(messages: member.value, as: call.hasChangedCallIDs ? call.messages : nil, to: &out)
                continue
            case "stream_options" where call.isStreamed:
                hasOptions = true
                out.append(#","stream_options":"#)
                Self.append(options: member.value, to: &out)
                continue
            default: break
            }
            out.append(next: member)
        }
        guard hasMessages else { return nil }
        if call.hasLowerBound, !hasBound, let bound = call.maxTokens { out.append(known, decimal: bound) }
        if call.isStreamed, !hasOptions { out.append(#","stream_options":{"include_usage":true}"#) }
        out.append("}")
        return Body(out)
    }

    private func hasBounds(_ members: [RawJSON.Member]) -> Bool {
        ["max_tokens", "max_completion_tokens"].allSatisfy { (name: StaticString) in
            members.contains { $0.name.equals(name) && !$0.value.isNull }
        }
    }

    /// Checks that all JSON parsers read the same fields in a request to an endpoint other than chat.
    /// - Throws: an error if different JSON parsers could read different fields.
    package func check() throws(APIError) { _ = try checkedMembers() }

    private func checkedMembers() throws(APIError) -> [RawJSON.Member] {
        guard let members else { throw APIError(400, "A field is sent twice, or its name contains escapes.") }
        return members
    }

    /// Returns the body of a request to an endpoint other than chat.
    /// - Parameter model: the vendor's name for the model.
    /// - Throws: an error if a JSON parser could read another value of a field than the relay, because a name is sent
    ///   twice or contains escapes.
    func written(model: String) throws(APIError) -> Body {
        let members = try checkedMembers()
        var out = ByteBuffer()
        _ = out.reserve(original.bytes.count + 256)
        out.append(#"{"model":"#, json: model)
        for member in members where !member.name.equals("model") && !ForwardedRequest.isOfRelay(member.name.text) {
            if member.name == "web_search_options", member.value.isNull { continue }
            if !FieldNames.isDisguised(member.name) { out.append(next: member) }
        }
        out.append("}")
        return Body(out)
    }

    /// Appends the members of the original request that the relay does not know.
    static func appendUnknown(of original: OriginalRequest, to out: inout ByteBuffer) {
        guard let members = original.members else { return }
        for member in members where !FieldNames.isOfChats(member.name) {
            if !FieldNames.isDisguised(member.name) { out.append(next: member) }
        }
    }

    /// Returns whether a member name can be a disguised known name, such as `Model` for `model`.
    @inline(__always)
    private static func mayBeDisguised(_ name: UnsafeRawBufferPointer) -> Bool {
        name.contains { $0 < 91 || $0 >= 128 }
    }

    /// Appends the messages without members that say nothing, such as `refusal: null`: strict servers refuse them.
    /// - Parameter read: the messages with the ids of tool calls that the relay has read or made; nil for no new ids.
    private static func append(messages: RawJSON, as read: [ChatMessage]?, to out: inout ByteBuffer) {
        var index = 0
        messages.append(to: &out) { (message: RawJSON, out: inout ByteBuffer) in
            let known = read?[index]
            index += 1
            let isLoose = known?.role == .user && known?.toolCallID == nil && message["tool_call_id"] != nil
            var ids = (known?.toolCalls ?? []).compactMap(\.id)[...]
            message.append(to: &out, leavingOut: { $0.saysNothing || isLoose && $0.isOfResult }) {
                (member, out) -> Bool in
                guard let known else { return false }
                switch member.name {
                case "role" where isLoose: out.append(#""role":"user""#)
                case "tool_call_id": return append(id: known.toolCallID, as: #""tool_call_id":"#, to: &out)
                case "tool_calls":
                    out.append(#""tool_calls":"#)
                    member.value.append(to: &out) { (call: RawJSON, out: inout ByteBuffer) in
                        let id = ids.popFirst()
                        call.append(to: &out) { $0.name.equals("id") && append(id: id, as: #""id":"#, to: &$1) }
                    }
                default: return false
                }
                return true
            }
        }
    }

    /// Appends a member with an id. Returns false, and appends nothing, without an id.
    private static func append(id: String?, as name: StaticString, to out: inout ByteBuffer) -> Bool {
        guard let id else { return false }
        out.append(name)
        out.append(json: id)
        return true
    }

    private static func append(options: RawJSON, to out: inout ByteBuffer) {
        out.append(#"{"include_usage":true"#)
        for member in options.members where !member.name.equals("include_usage") {
            if !FieldNames.isDisguised(member.name) { out.append(next: member) }
        }
        out.append("}")
    }
}

extension RawJSON.Member {
    /// Whether a message without the member says the same.
    fileprivate var saysNothing: Bool { (value.isNull || value.isEmptyArray) && !name.equals("content") }

    /// Whether only results of tool calls have the member.
    fileprivate var isOfResult: Bool { name.equals("tool_call_id") || name.equals("name") }
}
