package import Calls
package import Shared

extension OneMin: ChatVendor {
    package var wires: [Wire] { [] }
    package var keepsDeadlines: Bool { true }

    /// Returns the vendor's own abilities: only web search. The relay emulates the other abilities.
    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { .searchOptions }

    package func prepare(
        _ call: consuming ChatCall,
        for model: Model,
        by attempt: Attempt
    ) -> any PreparedChat {
        var call = consume call
        call.webSearch = call.search(with: model)
        let attachments = call.attachments
        // The code feature accepts only text.
        let isCode =
            call.wantsCode && model.features.contains(.code)
            && !attachments.contains { if case .kept = $0.source { true } else { false } }
            || !model.features.contains(.chat)
        let endpoint = isCode ? features : call.isStreamed ? streamed : whole
        return OneMinChat(self, consume call, model: model, isCode: isCode, endpoint: endpoint, attempt: attempt)
    }
}
