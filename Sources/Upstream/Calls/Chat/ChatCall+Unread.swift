import Engine
import Shared

extension ChatCall {
    /// Names the fields of the chat in `original` that a vendor with another API does not get.
    @inline(never)  // Not called for a vendor of the same API.
    mutating func nameUnreadFields() {
        guard let original, original.wire == .chat, let members = original.members else { return }
        nameUnreadFields(members.lazy.filter { !$0.value.isNull }.map(\.name))
    }

    /// Names those of a chat's fields that the relay does not know, for vendors with another API.
    package mutating func nameUnreadFields(_ names: some Sequence<UnsafeRawBufferPointer>) {
        let hasReasoning = rare?.value.reasoning.isOfServers ?? false
        let hasTopK = rare?.value.sampling.topK != nil
        let unread = names.filter { name in
            switch name {
            case "thinking", "reasoning", "enable_thinking": !hasReasoning
            case "top_k": !hasTopK
            case "cache_control", "prompt_cache_retention", "web_search_options": false
            default: name.count <= 64 && !FieldNames.isOfChats(name)
            }
        }
        if !unread.isEmpty { chatOptions.unread = unread.prefix(ChatOptions.maxIgnored).map(\.text) }
    }
}
