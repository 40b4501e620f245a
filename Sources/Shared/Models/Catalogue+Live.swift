/// A model on the list that the vendor currently publishes.
package struct LiveModel: Sendable, Equatable {
    package let id: String
    package let owner: String
    /// The display name of the model; empty if the vendor's list has no display name.
    package var label = ""
    package var features: Model.Features
    package var hasVision: Bool
    /// The context window in tokens; nil if unknown. Setting an implausible number stores nil.
    package var contextWindow: Int? { didSet { contextWindow = Self.tokens(contextWindow) } }
    /// The longest output in tokens; nil if unknown. Setting an implausible number stores nil.
    package var maxOutputTokens: Int? { didSet { maxOutputTokens = Self.tokens(maxOutputTokens) } }
    package var shutdownDate: Day?
    /// The provisional end date in 1min.ai's list; nil if there is none. It is not a shutdown date.
    package var markedDay: Day?
    /// Whether the vendor lists the model but refuses to serve it.
    package var isDisabled = false
    package var creditPrices = CreditPrices()
    /// The creation time in seconds since 1970; nil if the vendor does not report it.
    package var created: Int?
    /// The facts from the vendor's list that the relay only displays, such as prices.
    package var facts = ModelFacts()

    /// Creates a list entry; nil if the id is invalid. An invalid owner becomes an empty text.
    package init?(id: String, owner: String, features: Model.Features, hasVision: Bool) {
        guard Self.isName(id) else { return nil }
        self.id = id
        self.owner = Self.isName(owner) ? owner : ""
        self.features = features
        self.hasVision = hasVision
    }

    private static func tokens(_ count: Int?) -> Int? { count.flatMap { (1...Int(Int32.max)).contains($0) ? $0 : nil } }

    /// Returns whether the text has 1 to 128 visible ASCII characters.
    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
    }
}

extension Catalogue {
    /// Returns this catalogue, updated by the vendor's current list, without disabled models.
    ///
    /// The short name of a model that is gone then stands for another model of the same family.
    package func merged(with live: [LiveModel]) -> Catalogue {
        var found: [String: LiveModel] = [:]
        for model in live where !model.isDisabled { found[model.id] = model }
        let known = models.compactMap { model in found.removeValue(forKey: model.id).map { Model($0, before: model) } }
        let new = live.filter { found.removeValue(forKey: $0.id) != nil }.map { Model($0, before: nil) }
        let served = known + new
        let servedIDs = Set(served.map(\.id))
        let gone = Set(models.map(\.id) + live.map(\.id)).subtracting(servedIDs)
        let next = successors(of: gone, among: served)
        return Catalogue(
            served,
            gone: gone,
            madeNames: Self.madeNames(live, besides: servedIDs.union(servedIDs.compactMap(shortName)), shortName),
            family: family,
            fullID: { [fullID] name in fullID(name).map { next[$0] ?? $0 } },
            shortName: shortName
        )
    }

    /// Makes readable names from display names, for models whose id is a UUID without a short name. Returns the names
    /// by model id.
    private static func madeNames(
        _ live: [LiveModel],
        besides taken: Set<String>,
        _ shortName: (String) -> String?
    ) -> [String: String] {
        var taken = taken
        var names: [String: String] = [:]
        for model in live where model.id.isUUID && shortName(model.id) == nil && !model.isDisabled {
            let words = model.label.lowercased().utf8.split { !((48...57).contains($0) || (97...122).contains($0)) }
            let name = words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
            guard !name.isEmpty, name.utf8.count <= longestMadeName else { continue }
            for candidate in [name, "\(name)-\(model.id.prefix(4))"] where taken.insert(candidate).inserted {
                names[model.id] = candidate
                break
            }
        }
        return names
    }

    private static let longestMadeName = 64

    /// Returns the successors of models that are no longer served, by the gone model's id. A successor is a served
    /// model of the same family.
    private func successors(of gone: Set<String>, among served: [Model]) -> [String: String] {
        let servedByID = Dictionary(served.map { ($0.id, $0) }) { first, _ in first }
        var next: [String: String] = [:]
        for (index, model) in models.enumerated() where gone.contains(model.id) {
            guard let family = family(model.id) else { continue }
            let later = (models[(index + 1)...] + models[..<index]).compactMap { servedByID[$0.id] } + served
            next[model.id] =
                later.first { self.family($0.id) == family && !$0.features.isDisjoint(with: model.features) }?.id
        }
        return next
    }
}

extension Model {
    /// Creates a chat model that no catalogue contains. Its limits and shutdown date come from `live`, its entry in the
    /// vendor's list; they are nil without an entry.
    init(named id: String, _ live: LiveModel?) {
        self.init(
            id: id,
            owner: "",
            features: .chat,
            hasVision: false,
            contextWindow: live?.contextWindow ?? live?.facts.contextWindow,
            maxOutputTokens: live?.maxOutputTokens
        )
        shutdownDate = live?.shutdownDate
    }

    /// Creates a model from an entry of the vendor's list.
    /// - Parameter before: the model in the built-in catalogue; nil if the model is new.
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
