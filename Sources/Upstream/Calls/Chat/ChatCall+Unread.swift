package import Engine
import Shared

extension ChatCall {
    /// Names the fields of the chat in `original` that a vendor with another API does not get.
    @inline(never)  // Not called for a vendor of the same API.
    mutating func nameUnreadFields() {
        guard let original, original.wire == .chat, let members = original.members else { return }
        for member in members where isUnread(member.name) && !member.value.isNull { addUnread(member.name) }
    }

    /// Names those of a chat's fields that the relay does not know, for vendors with another API.
    package mutating func nameUnreadFields(of root: JSONValue) {
        guard let members = JSONMembers(root) else { return }
        for (name, value) in members where isUnread(name) && value.kind != .null { addUnread(name) }
    }

    private func isUnread(_ name: UnsafeRawBufferPointer) -> Bool {
        guard !FieldNames.isOfChats(name) else { return false }
        return switch name {
        case "thinking", "reasoning", "enable_thinking": !(rare?.value.reasoning.isOfServers ?? false)
        case "top_k": rare?.value.sampling.topK == nil
        case "cache_control", "prompt_cache_retention", "web_search_options": false
        default: name.count <= 64
        }
    }

    @inline(never)  // Rarely called.
    private mutating func addUnread(_ name: UnsafeRawBufferPointer) {
        if chatOptions.unread.count < ChatOptions.maxIgnored { chatOptions.unread.append(name.text) }
    }
}
