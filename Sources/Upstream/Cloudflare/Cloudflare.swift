package import Engine
import Limits
package import Shared

/// Calls Cloudflare's Workers AI, with its OpenAI-compatible API or Cloudflare's own API.
package final class Cloudflare: KeyChecker, OnLoop, @unchecked Sendable {
    private let inner: OpenAILike
    private let site: VendorSite
    private let account: String
    private let models: Endpoint
    private var runs: [String: Endpoint] = [:]

    private static let maxRuns = 1_000

    /// Creates the vendor; nil if the base URL in `site` is invalid.
    package init?(
        _ site: VendorSite,
        account: String,
        _ transport: any Transport,
        quirks: QuirkMemory,
        tools: LoopTools
    ) {
        let root = Self.path(account)
        let openAI = site.below("\(root)/v1")
        guard let inner = OpenAILike(openAI, transport, quirks: quirks, reasoningBlocks: nil, tools: tools),
            let models = Endpoint("\(site.baseURL)\(root)/models/search?per_page=1", site.options.forChecks)
        else { return nil }
        inner.errorTable = VendorError.cloudflare
        self.inner = inner
        self.site = site
        self.account = account
        self.models = models
    }

    private static func path(_ account: String) -> String { "/client/v4/accounts/\(account)/ai" }

    package static func list(
        _ site: VendorSite,
        account: String,
        _ transport: any Transport,
        keys: [String]
    ) -> VendorList {
        let path = "\(path(account))/models/search?task=Text%20Generation&per_page=\(pageSize)"
        var form = VendorList.Form(path: path, members: "result", headers: \.bearerHeaders) { model in
            guard model["task"]?["name"]?.text.map({ $0.equals("Text Generation") }) ?? false,
                let name = model["name"]?.string
            else { return nil }
            var live = LiveModel(id: name, owner: "", features: .chat, hasVision: false)
            for property in model["properties"]?.elements ?? JSONElements() {
                guard let value = property["value"]?.text, value.count <= 40 else { continue }
                switch property["property_id"]?.text {
                case "context_window": live?.contextWindow = Int(value.text)
                case "planned_deprecation_date": live?.shutdownDate = Day(value)
                default: continue
                }
            }
            return live
        }
        form.next = { root in
            let reported = root["result_info"]
            guard let page = reported?["page"]?.integer, let total = reported?["total_count"]?.integer,
                (1...100).contains(page), page * Int64(pageSize) < total
            else { return nil }
            return ("page", "\(page + 1)")
        }
        return VendorList(site, form, transport: transport, keys: keys)
    }

    private static let pageSize = 100

    package func accepts(key: String) async -> Bool {
        await inner.wire.transport.accepts(key, at: models, inner.wire.headers, refusals: [401, 403])
    }

    /// Returns the model's endpoint in Cloudflare's own API; nil if the model's name cannot be part of a URL.
    private func run(_ model: String) -> Endpoint? {
        if let known = runs[model] { return known }
        let path = "\(site.baseURL)\(Self.path(account))/run/\(model.escapedInPath)"
        guard let endpoint = Endpoint(path, site.options) else { return nil }
        if runs.count >= Self.maxRuns { runs = [:] }
        runs[model] = endpoint
        return endpoint
    }
}

extension Cloudflare: WireChatVendor {
    var wire: WireVendor { inner.wire }

    /// Returns whether the model's support for the call is uncertain, which is true of calls with tools. Only a
    /// response shows whether the model supports tools.
    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool { call.needs.contains(.tools) }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .sampling, .reasoning,
        ]
        let quirks = inner.wire.quirks(model, for: call.quirks)
        abilities.subtract(quirks.lacking)
        if call.hasStrictTools { abilities.insert(.uncheckedArguments) }
        // Models may ignore `required`. That a model ignores a named tool, too, is learned from its responses.
        if call.needs.contains(.toolChoice), quirks.contains(.noForcing) || call.chatOptions.toolChoice == .required {
            abilities.remove(.toolChoice)
        }
        abilities.emulateTogether(for: call.needs)
        return abilities
    }

    package func finding(lacking ability: Abilities) -> QuirkFinding? {
        ability == .toolChoice ? QuirkFinding(.noForcing) : nil
    }

    package func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        var call = call
        // Further choices are requested by further calls, and the relay looks for stop sequences.
        call.choices = 1
        call.stops = []
        let form = CloudflareForm(inner.completions, run: run(model.id), call, model: model)
        return wire.chat(form, call, model, by: attempt)
    }
}

extension Cloudflare: Forwarder {
    package func forwards(_ endpoint: ForwardedEndpoint) -> Bool { endpoint == .embeddings }

    package func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any ForwardedResponse {
        try await inner.forward(request, for: model, by: attempt)
    }
}
