package import Engine
import Shared

extension ChatCall {
    /// Names the fields of the chat in `original` that a vendor with another API does not get.
    @inline(never)  // Not called for a vendor of the same API.
    mutating func nameUnreadFields() {
        guard let original, original.wire == .chat, let members = original.members else { return }
        var unread: [String] = []
        for member in members where !FieldNames.isOfChats(member.name) && !member.value.isNull && isUnread(member.name)
        {
            unread.append(member.name.text)
            if unread.count == ChatOptions.maxIgnored { break }
        }
        if !unread.isEmpty { chatOptions.unread = unread }
    }

    /// Names those of a chat's fields that the relay does not know, for vendors with another API.
    package mutating func nameUnreadFields(of root: JSONValue) {
        guard let members = JSONMembers(root) else { return }
        var unread: [String] = []
        for (name, value) in members
        where !FieldNames.isOfChats(name) && value.kind != .null && isUnread(name) {
            unread.append(name.text)
            if unread.count == ChatOptions.maxIgnored { break }
        }
        if !unread.isEmpty { chatOptions.unread = unread }
    }

    private func isUnread(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name {
        case "thinking", "reasoning", "enable_thinking": !(rare?.value.reasoning.isOfServers ?? false)
        case "top_k": rare?.value.sampling.topK == nil
        case "cache_control", "prompt_cache_retention", "web_search_options": false
        default: name.count <= 64
        }
    }
}
