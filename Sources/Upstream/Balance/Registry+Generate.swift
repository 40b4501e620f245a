package import Calls
package import Shared

/// The functions for calls without a model name.
extension Registry {
    /// Returns one candidate of each provider that serves calls without a model name; nil if none does. Sorted by
    /// priority and then by price.
    package func generators(for caller: Caller) -> Candidates? {
        let all = generated(for: caller) { $0.generates }
        let costs = all.map { ($0.price?.promptParts ?? 0) + ($0.price?.completionParts ?? 0) }
        let order = all.indices.sorted {
            (all[$0].rank.priority, costs[$0], $0) < (all[$1].rank.priority, costs[$1], $1)
        }
        return candidates(order.map { all[$0] }, .listed, caller: caller)
    }

    /// Returns a candidate of each provider that has a capacity limit and can serve the call; nil if there is none.
    ///
    /// The candidate with the most free capacity is tried first.
    package func bounded(for caller: Caller, taking call: borrowing ChatCall) -> Candidates? {
        let needs = call.needs
        let all = generated(for: caller) { $0.capacity != nil && $0.takes(needs) }
        return candidates(all, .byLoad, caller: caller)
    }

    private func generated(for caller: Caller, _ isWanted: (Entry) -> Bool) -> [Candidate] {
        entries.indices.compactMap { position in
            guard isWanted(entries[position]), let found = modelCatalog.generating(at: position),
                serves(found.servedModel, [.chat, .code]), mayUse(found.servedModel, found.asked, caller: caller)
            else { return nil }
            return candidate(FoundModel(name: found.name, servedModels: [found.servedModel], index: 0), caller)
        }
    }

    private func candidates(_ all: [Candidate], _ order: Candidates.Order, caller: Caller) -> Candidates? {
        if all.isEmpty { return nil }
        let rivals = all.map(\.server)
        return Candidates(CandidateList(all.map { $0.with(rivals: rivals) }), balance, for: caller, order: order)
    }
}

extension Registry.Entry {
    /// Returns whether the provider's settings allow calls that need these abilities.
    fileprivate func takes(_ needs: Abilities) -> Bool {
        !spared.contains(.tools) || needs.isDisjoint(with: [.tools, .functions, .customTools])
    }
}
