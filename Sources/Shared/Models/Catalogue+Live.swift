/// The vendor's present entry of one model.
package struct LiveModel: Sendable, Equatable {
    package let id: String
    package let owner: String
    package var features: Model.Features
    package var hasVision: Bool
    /// The context window in tokens; nil if unknown. A number that cannot be one becomes nil.
    package var contextWindow: Int? { didSet { contextWindow = Self.tokens(contextWindow) } }
    /// The longest output in tokens; nil if unknown. A number that cannot be one becomes nil.
    package var maxOutputTokens: Int? { didSet { maxOutputTokens = Self.tokens(maxOutputTokens) } }
    package var shutdownDate: Day?
    package var creditPrices = CreditPrices()
    /// Seconds since 1970; nil: not told.
    package var created: Int?

    /// Nil: the id cannot be a model's. An owner that cannot be one's is left out.
    package init?(id: String, owner: String, features: Model.Features, hasVision: Bool) {
        guard Self.isName(id) else { return nil }
        self.id = id
        self.owner = Self.isName(owner) ? owner : ""
        self.features = features
        self.hasVision = hasVision
    }

    private static func tokens(_ count: Int?) -> Int? {
        count.flatMap { (1...Int(Int32.max)).contains($0) ? $0 : nil }
    }

    /// Up to 128 visible ASCII characters.
    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
    }
}

extension Catalogue {
    /// With the vendor's list: new models follow, of known ones features and vision are the list's. A model that is not
    /// on the list stays, as lists have been incomplete; if it is gone, the vendor will say so.
    package func merged(with live: [LiveModel]) -> Catalogue {
        var found: [String: LiveModel] = [:]
        for model in live { found[model.id] = model }
        let known = models.map { model in
            guard let live = found.removeValue(forKey: model.id) else { return model }
            return Model(live, before: model)
        }
        let new = live.filter { found.removeValue(forKey: $0.id) != nil }.map { Model($0, before: nil) }
        return Catalogue(known + new, fullID: fullID, shortName: shortName)
    }
}

extension Model {
    /// One that chats, and what its vendor's list says of it.
    init(named id: String, _ live: LiveModel?) {
        self.init(
            id: id,
            owner: "",
            features: .chat,
            hasVision: false,
            contextWindow: live?.contextWindow,
            maxOutputTokens: live?.maxOutputTokens
        )
        shutdownDate = live?.shutdownDate
    }

    /// `before`: the model as it was known.
    fileprivate init(_ live: LiveModel, before: Model?) {
        self.init(
            id: live.id,
            owner: before?.owner ?? live.owner,
            features: live.features,
            hasVision: live.features.contains(.chat) ? live.hasVision : before?.hasVision ?? live.hasVision,
            contextWindow: live.contextWindow ?? before?.contextWindow,
            maxOutputTokens: live.maxOutputTokens ?? before?.maxOutputTokens
        )
        shutdownDate = live.shutdownDate
        creditPrices = live.creditPrices
    }
}
