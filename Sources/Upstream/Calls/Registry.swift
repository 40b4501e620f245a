package import Shared

/// Who serves which call. One a loop, as providers are.
///
/// `@unchecked`: used on its loop only.
package final class Registry: @unchecked Sendable {
    package struct Entry: Sendable {
        package let provider: any ChatProvider
        /// Nil: callers' own keys are passed on, or none is needed.
        package let keys: KeyRing?
        package let isPassthrough: Bool
        package let price: Price?
        /// It takes credits for its calls.
        package let takesCredits: Bool

        package init(
            provider: any ChatProvider,
            keys: KeyRing?,
            isPassthrough: Bool,
            price: Price?,
            takesCredits: Bool
        ) {
            self.provider = provider
            self.keys = keys
            self.isPassthrough = isPassthrough
            self.price = price
            self.takesCredits = takesCredits
        }
    }

    /// What serves one call.
    package struct Candidate: Sendable {
        /// What the model is called here: as it was asked for, or the fallback's name.
        package let name: String
        package let provider: any ChatProvider
        package let model: Model
        package fileprivate(set) var credential: Credential
        /// Nil: not known.
        package let price: Price?
        /// Its provider takes credits for calls.
        package let takesCredits: Bool
        fileprivate let offeredBy: Int
    }

    let entries: [Entry]
    /// Replaced when the vendor's list of models has changed.
    package var offers: Offers

    /// - Parameter entries: as many as there are providers in the settings, in their order.
    package init(_ entries: [Entry], _ offers: Offers) {
        self.entries = entries
        self.offers = offers
    }

    /// Who serves chat of the model that a caller named, which may make images or speak. A model of another kind, or one
    /// that the caller may not use, is unknown to him.
    package func chat(_ name: String, for caller: Caller) throws(APIError) -> Candidate {
        try candidate(name, for: caller, able: [.chat, .code, .image, .textToSpeech])
    }

    /// Who serves the model that a caller named in a call that needs one of `features`.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidate {
        let (name, offer) = try find(name, caller, features)
        return candidate(name, offer, caller)
    }

    /// Who takes a file before it is known which model it is for: the first that serves one of `features`.
    package func taker(for caller: Caller, able features: Model.Features) -> Candidate? {
        for name in offers.names {
            guard let (name, offer) = try? find(name, caller, features) else { continue }
            return candidate(name, offer, caller)
        }
        return nil
    }

    /// Who serves the model with a file that `taker` has.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features,
        holding taker: Candidate
    ) throws(APIError) -> Candidate {
        if let (name, offer) = try? find(name, caller, features, at: taker.provider) {
            return candidate(name, offer, caller, taker.credential)
        }
        _ = try find(name, caller, features)
        throw .value("model", "it must stand before the file in the form, since not every provider has it")
    }

    /// - Parameter provider: nil: any.
    private func find(
        _ name: String,
        _ caller: Caller,
        _ features: Model.Features,
        at provider: (any ChatProvider)? = nil
    ) throws(APIError) -> (name: String, offer: Offers.Offer) {
        func serves(_ offer: Offers.Offer) -> Bool {
            !offer.model.features.isDisjoint(with: features)
                && (provider == nil || provider === entries[offer.provider].provider)
        }
        var isKnown = false
        for offer in offers[name] where mayUse(offer, name, caller) {
            if serves(offer) { return (name, offer) }
            isKnown = true
        }
        guard !isKnown else { throw offers.notFound(name, for: caller, able: features) }
        // The right to the name that was asked is what counts.
        for offer in offers.substitutes(for: name) where mayUse(offer, name, caller) && serves(offer) {
            return (offers.fallback ?? name, offer)
        }
        throw offers.notFound(name, for: caller, able: features)
    }

    private func mayUse(_ offer: Offers.Offer, _ name: String, _ caller: Caller) -> Bool {
        caller.mayUse(name, ofPassthrough: entries[offer.provider].isPassthrough)
    }

    /// The prices of all who could serve the call that the candidate is for.
    package func prices(of candidate: Candidate, asked name: String, for caller: Caller) -> [Price] {
        offers[candidate.name].filter { mayUse($0, name, caller) }.compactMap { entries[$0.provider].price }
    }

    /// - Parameter credential: nil: whose turn it is.
    private func candidate(
        _ name: String,
        _ offer: Offers.Offer,
        _ caller: Caller,
        _ credential: Credential? = nil
    ) -> Candidate {
        let entry = entries[offer.provider]
        return Candidate(
            name: name,
            provider: entry.provider,
            model: offer.model,
            credential: credential ?? self.credential(of: entry, for: caller),
            price: entry.price,
            takesCredits: entry.takesCredits,
            offeredBy: offer.provider
        )
    }

    func credential(of entry: Entry, for caller: Caller) -> Credential {
        entry.isPassthrough ? Credential(passedOn: caller.passedKey) : entry.keys?.next() ?? Credential.none
    }

    /// The candidate with the key that a file was uploaded with; nil: its provider has none such for this caller.
    package func candidate(_ candidate: Candidate, reading file: StoredFile) -> Candidate? {
        guard file.provider == candidate.provider.name else { return nil }
        if candidate.credential.account.number == file.account { return candidate }
        guard let credential = entries[candidate.offeredBy].keys?.credential(ofAccount: file.account) else {
            return nil
        }
        var candidate = candidate
        candidate.credential = credential
        return candidate
    }
}
