import Calls
package import Shared

extension Registry {
    /// The candidates for a call that goes on as it came; nil: nobody takes it so, or it is first for a provider that
    /// serves the model by one of its `features`.
    package func forwarding(
        _ name: String,
        for caller: Caller,
        besides features: Model.Features
    ) throws(APIError) -> Candidates? {
        let known = offers[name]
        var all = usable(known, as: name, caller, features)
        // The right to the name that was asked is what counts.
        if !known.contains(where: { mayUse($0, name, caller) }) {
            all = usable(offers.substitutes(for: name), as: offers.fallback ?? name, asked: name, caller, features)
        }
        guard let first = all.first(where: \.hasSoundKey) ?? all.first, first.forwarder != nil else { return nil }
        let forwarding = all.filter { $0.forwarder != nil }
        return Candidates(forwarding[0], others: Array(forwarding.dropFirst()), balance, for: caller)
    }

    private func usable(
        _ offers: [Offers.Offer],
        as own: String,
        asked name: String? = nil,
        _ caller: Caller,
        _ features: Model.Features
    ) -> [Candidate] {
        offers.indices.compactMap { index in
            guard mayUse(offers[index], name ?? own, caller) else { return nil }
            let candidate = candidate(Found(name: own, offers: offers, index: index), caller)
            return candidate.forwarder != nil || serves(offers[index], features) ? candidate : nil
        }
    }
}
