extension ChatCall {
    /// The request for a summary, which follows the conversation.
    package static let summaryOrder = """
        Summarise the conversation above for yourself, since you will go on without it: what the user wants, what was \
        decided and done, what was found out (with names, paths, numbers and code that will be needed again), and what \
        remains to be done. Write the summary only.
        """

    /// Changes a request for a compaction into a request for a summary as text, unless the vendor's abilities include
    /// compactions.
    ///
    /// The tools stay, but the model must not
    /// call them: a vendor's prompt cache finds only a prompt that begins like the last one.
    package mutating func becomeSummary(unless abilities: Abilities) {
        guard !abilities.contains(.compaction) else { return }
        needs.subtract([.compaction, .tools, .functions, .toolChoice, .demands, .objects, .schemas])
        messages.append(ChatMessage(role: .user, text: Self.summaryOrder))
        webSearch = nil
        var chatOptions = chatOptions
        chatOptions.toolChoice = .none
        chatOptions.format = .text
        self.chatOptions = chatOptions
        countIfLong()
    }
}
