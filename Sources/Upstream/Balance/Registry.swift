package import Calls
package import Engine
package import Shared

/// The providers and the models that they serve. One a loop, as providers are.
///
/// `@unchecked`: used on its loop only.
package final class Registry: @unchecked Sendable {
    package struct Entry: Sendable {
        package let provider: any ChatVendor
        /// Nil: callers' own keys are passed on, or none is needed.
        package let keys: KeyRing?
        package let isPassthrough: Bool
        package let price: Price?
        /// It takes credits for its calls.
        package let takesCredits: Bool

        package init(
            provider: any ChatVendor,
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

    let entries: [Entry]
    /// Some vendor takes calls as they came, in OpenAI's form.
    package let speaksChat: Bool
    let loop: EventLoop
    package let offers: Offers

    /// - Parameter entries: as many as there are providers in the settings, in their order.
    package init(_ entries: [Entry], _ offers: Offers, on loop: EventLoop) {
        self.loop = loop
        self.entries = entries
        speaksChat = entries.contains { $0.provider.wires.contains(.chat) }
        self.offers = offers
    }

    /// The same vendors with other models.
    package func offering(_ offers: Offers) -> Registry { Registry(entries, offers, on: loop) }

    /// The candidate for a chat with the model that a caller named, which may make images or speak. A model of another
    /// kind, or one that the caller may not use, is unknown to them.
    package func chat(_ name: String, for caller: Caller) throws(APIError) -> Candidate {
        try candidate(name, for: caller, able: [.chat, .code, .image, .textToSpeech])
    }

    /// The candidate for the model that a caller named in a call that needs one of `features`.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidate {
        let (name, offer) = try find(name, caller, features)
        return candidate(name, offer, caller)
    }

    /// The candidate for a file whose model is not known yet: the first that serves one of `features`.
    package func uploader(for caller: Caller, able features: Model.Features) -> Candidate? {
        for name in offers.names {
            guard let (name, offer) = try? find(name, caller, features) else { continue }
            return candidate(name, offer, caller)
        }
        return nil
    }

    /// The candidate for the model with a file that `uploader` has, which was uploaded with the key of that call.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features,
        holding uploader: Candidate,
        _ call: VendorCall
    ) throws(APIError) -> Candidate {
        if let (name, offer) = try? find(name, caller, features, at: uploader.provider) {
            return candidate(name, offer, caller).with(call.credential)
        }
        _ = try find(name, caller, features)
        throw .value("model", "put `model` before `file` in the form: not every provider has this model")
    }

    /// - Parameter provider: nil: any.
    private func find(
        _ name: String,
        _ caller: Caller,
        _ features: Model.Features,
        at provider: (any ChatVendor)? = nil
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

    private func candidate(_ name: String, _ offer: Offers.Offer, _ caller: Caller) -> Candidate {
        let entry = entries[offer.provider]
        return Candidate(
            name: name,
            provider: entry.provider,
            model: offer.model,
            price: entry.price,
            takesCredits: entry.takesCredits,
            keys: entry.keys,
            fixed: entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
            offeredBy: offer.provider,
            loop: loop
        )
    }
}
