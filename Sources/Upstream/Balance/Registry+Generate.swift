package import Calls
package import Shared

/// Calls that name no model: each provider serves them by one of its own.
extension Registry {
    /// One candidate of each provider that serves such calls: by priority, then the cheapest first; nil: there is none.
    package func generators(for caller: Caller) -> Candidates? {
        let all = generated(for: caller) { $0.generates }
        let costs = all.map { ($0.price?.promptParts ?? 0) + ($0.price?.completionParts ?? 0) }
        let order = all.indices.sorted {
            (all[$0].rank.priority, costs[$0], $0) < (all[$1].rank.priority, costs[$1], $1)
        }
        return candidates(order.map { all[$0] }, .listed, caller)
    }

    /// One candidate of each provider whose keys have a bound: the one with the most room first; nil: there is none.
    package func bounded(for caller: Caller, taking call: borrowing ChatCall) -> Candidates? {
        let needs = call.needs
        let all = generated(for: caller) { $0.capacity != nil && $0.takes(needs) }
        return candidates(all, .byLoad, caller)
    }

    private func generated(for caller: Caller, _ isWanted: (Entry) -> Bool) -> [Candidate] {
        entries.indices.compactMap { place in
            guard isWanted(entries[place]), let found = offers.generating(at: place),
                serves(found.offer, [.chat, .code]), mayUse(found.offer, found.asked, caller)
            else { return nil }
            return candidate(Found(name: found.name, offers: [found.offer], index: 0), caller)
        }
    }

    private func candidates(_ all: [Candidate], _ order: Candidates.Order, _ caller: Caller) -> Candidates? {
        if all.isEmpty { return nil }
        let rivals = all.map(\.server)
        return Candidates(CandidateList(all.map { $0.with(rivals: rivals) }), balance, for: caller, order)
    }
}

extension Registry.Entry {
    /// False: settings keep calls with tools from it.
    fileprivate func takes(_ needs: Abilities) -> Bool {
        !spared.contains(.tools) || needs.isDisjoint(with: [.tools, .functions, .customTools])
    }
}
