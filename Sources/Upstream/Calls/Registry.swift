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

    private let entries: [Entry]
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
        var isKnown = false
        for offer in offers[name] where mayUse(offer, name, caller) {
            if !offer.model.features.isDisjoint(with: features) { return candidate(name, offer, caller) }
            isKnown = true
        }
        guard !isKnown else { throw offers.notFound(name) }
        // The right to the name that was asked is what counts.
        for offer in offers.substitutes(for: name) where mayUse(offer, name, caller) {
            if !offer.model.features.isDisjoint(with: features) {
                return candidate(offers.fallback ?? name, offer, caller)
            }
        }
        throw offers.notFound(name)
    }

    private func mayUse(_ offer: Offers.Offer, _ name: String, _ caller: Caller) -> Bool {
        caller.mayUse(name, ofPassthrough: entries[offer.provider].isPassthrough)
    }

    /// The prices of all who could serve the call that the candidate is for.
    package func prices(of candidate: Candidate, asked name: String, for caller: Caller) -> [Price] {
        offers[candidate.name].filter { mayUse($0, name, caller) }.compactMap { entries[$0.provider].price }
    }

    private func candidate(_ name: String, _ offer: Offers.Offer, _ caller: Caller) -> Candidate {
        let entry = entries[offer.provider]
        let credential =
            entry.isPassthrough ? Credential(passedOn: caller.passedKey) : entry.keys?.next() ?? Credential.none
        return Candidate(
            name: name,
            provider: entry.provider,
            model: offer.model,
            credential: credential,
            price: entry.price,
            takesCredits: entry.takesCredits,
            offeredBy: offer.provider
        )
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
