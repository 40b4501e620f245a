package import Engine
package import Shared

/// Requests the list of models from 1min.ai, which needs no key.
package final class OneMinList: ModelList, OnLoop, @unchecked Sendable {
    private let transport: any Transport
    private let parser: JSONParser
    private let kinds: [(feature: Model.Features, endpoint: Endpoint)]
    private let headers = UpstreamHeaders(["Expect:", "User-Agent: relay"])

    private static let modelsLimit = 2_000
    private static let maxCredits = 1_000_000.0

    /// Prepares the requests for the list of models; nil if the base URL is invalid.
    /// - Parameter baseURL: the URL of the API, without a slash at its end.
    package init?(baseURL: String, options: EndpointOptions, transport: any Transport, parser: JSONParser) {
        self.transport = transport
        self.parser = parser
        var options = options
        options.firstByteMilliseconds = min(options.firstByteMilliseconds, 30_000)
        options.totalMilliseconds = min(options.totalMilliseconds, 60_000)
        var kinds: [(Model.Features, Endpoint)] = []
        for feature in OneMinFeature.allCases {
            guard let endpoint = Endpoint("\(baseURL)/models?feature=\(feature.rawValue)", options) else { return nil }
            kinds.append((feature.listed, endpoint))
        }
        self.kinds = kinds
    }

    /// Requests the vendor's models of all features that the relay supports, and returns each model once. Throws if a
    /// request fails or a list is invalid.
    package func models() async throws(UpstreamError) -> [LiveModel] {
        var merged: [LiveModel] = []
        var indexByID: [String: Int] = [:]
        for kind in kinds {
            for model in try await models(of: kind.feature, kind.endpoint) {
                if let index = indexByID[model.id] {
                    merged[index].add(model)
                } else {
                    indexByID[model.id] = merged.count
                    merged.append(model)
                }
            }
            guard merged.count <= Self.modelsLimit else {
                throw UpstreamError(.failed, cause: "more than \(Self.modelsLimit) models")
            }
        }
        guard merged.contains(where: { !$0.isDisabled }) else { throw UpstreamError(.failed, cause: "an empty list") }
        return merged
    }

    private func models(of feature: Model.Features, _ endpoint: Endpoint) async throws(UpstreamError) -> [LiveModel] {
        try await VendorList.page("models", at: endpoint, headers, by: transport, parser) { elements, _ in
            elements.filter(Self.isModel).compactMap { element in
                let isActive = Self.isActive(element)
                let id = element["modelId"]?.string ?? ""
                var model = LiveModel(
                    id: id,
                    owner: element["provider"]?.string ?? "",
                    features: isActive ? feature.usable(by: id) : [],
                    hasVision: isActive && feature == .chat && Self.supportsImages(element)
                )
                model?.isDisabled = !isActive
                model?.label = element["name"]?.string ?? ""
                model?.contextWindow = Self.tokens(element["creditMetadata"]?["CONTEXT"])
                model?.maxOutputTokens = Self.tokens(element["creditMetadata"]?["MAX_OUTPUT_TOKEN"])
                if isActive, let reported = element["creditMetadata"] {
                    model?.creditPrices = Self.prices(reported, of: feature)
                }
                model?.markedDay = element["deprecationDate"]?.text.flatMap(Self.day)
                return model
            }
        }
    }

    private static func isModel(_ entry: JSONValue) -> Bool {
        !(entry["modelId"]?.text.map { $0.equals("NOT_APPLICABLE") } ?? false)
    }

    private static func isActive(_ entry: JSONValue) -> Bool {
        entry["status"]?.text.map { $0.equals("ACTIVE") } ?? true
    }

    private static func tokens(_ value: JSONValue?) -> Int? {
        guard let tokens = value?.integer, (1...Int64(Int32.max)).contains(tokens) else { return nil }
        return Int(tokens)
    }

    /// Returns a model's prices for tokens and images, as the vendor reports them for one feature.
    private static func prices(_ reported: JSONValue, of feature: Model.Features) -> CreditPrices {
        let image = nanocredits(reported["LOW_IMAGE"])
        if feature.isSubset(of: [.image, .imageEdit, .imageInpaint, .imageVariation]) {
            return CreditPrices(imageNanocredits: image)
        }
        guard feature.isSubset(of: [.chat, .code]), let prompt = nanocredits(reported["INPUT"], orNone: true),
            let completion = nanocredits(reported["OUTPUT"], orNone: true), prompt + completion > 0
        else { return CreditPrices() }
        return CreditPrices(
            chat: ChatCredits(promptNanocredits: prompt, completionNanocredits: completion, imageNanocredits: image)
        )
    }

    /// Converts a price in credits to nanocredits; nil if the price is missing or implausible.
    /// - Parameter orNone: whether a price of 0 is valid.
    private static func nanocredits(_ value: JSONValue?, orNone: Bool = false) -> Int? {
        guard let credits = value?.number, (0...maxCredits).contains(credits), credits > 0 || orNone else {
            return nil
        }
        return Int((credits * Double(ChatCredits.nanocreditsPerCredit)).rounded())
    }

    private static func day(_ date: UnsafeRawBufferPointer) -> Day? {
        guard date.count >= 10, date.count == 10 || date[10] == UInt8(ascii: "T") else { return nil }
        return Day(date[part: 0..<10])
    }

    private static func supportsImages(_ model: JSONValue) -> Bool {
        model["modality"]?["INPUT"]?.elements?.contains { $0.text == "image" } ?? false
    }
}

extension LiveModel {
    /// Adds the data about the same model from 1min.ai's list for another feature, such as the prices.
    fileprivate mutating func add(_ other: LiveModel) {
        features.formUnion(other.features)
        hasVision = hasVision || other.hasVision
        creditPrices.add(other.creditPrices)
        isDisabled = isDisabled && other.isDisabled
        markedDay = markedDay ?? other.markedDay
        contextWindow = contextWindow ?? other.contextWindow
        maxOutputTokens = maxOutputTokens ?? other.maxOutputTokens
    }
}
