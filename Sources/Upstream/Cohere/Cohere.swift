package import Engine
import Limits
package import Shared

/// Calls servers with version 2 of Cohere's Chat API.
package final class Cohere: KeyChecker, OnLoop, @unchecked Sendable {
    let wire: WireVendor
    let chat: Endpoint
    let rerank: Endpoint
    private let models: Endpoint

    static let maxStops = 5

    /// Creates the vendor; nil if the base URL in `site` is invalid.
    package init?(_ site: VendorSite, _ transport: any Transport, quirks: QuirkMemory, tools: LoopTools) {
        guard let chat = Endpoint(site.baseURL + "/v2/chat", site.options),
            let rerank = Endpoint(site.baseURL + "/v2/rerank", site.options),
            let models = Endpoint(site.baseURL + "/v1/models?page_size=1", site.options.forChecks)
        else { return nil }
        wire = WireVendor(site.name, transport, headers: site.bearerHeaders, quirks: quirks, tools: tools)
        self.chat = chat
        self.rerank = rerank
        self.models = models
    }

    package static func list(_ site: VendorSite, _ transport: any Transport, keys: [String]) -> VendorList {
        let path = "/v1/models?endpoint=chat&page_size=1000"
        var form = VendorList.Form(path: path, members: "models", headers: \.bearerHeaders) { model in
            guard let name = model["name"]?.string else { return nil }
            var live = LiveModel(id: name, owner: "", features: .chat, hasVision: false)
            live?.contextWindow = model["context_length"]?.number.flatMap { Int(exactly: $0) }
            if let sees = model["supports_vision"]?.flag { live?.facts.set(.vision, sees) }
            return live
        }
        form.next = { root in root["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : ("page_token", $0) } }
        return VendorList(site, form, transport: transport, keys: keys)
    }

    package func accepts(key: String) async -> Bool {
        await wire.transport.accepts(key, at: models, wire.headers, refusals: [401, 498])
    }
}

extension Cohere: WireChatVendor {
    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .sampling, .reasoning,
            .functions,
        ]
        let quirks = wire.quirks(model, for: call.quirks)
        abilities.subtract(quirks.lacking)
        if quirks.contains(.noForcing) { abilities.remove(.toolChoice) }
        if call.hasStrictTools { abilities.insert(.uncheckedArguments) }
        if !call.needs.isDisjoint(with: [.objects, .schemas]), !call.mustCallFunction {
            if call.usesTools || !CohereSchema.takes(call.chatOptions.format) {
                abilities.subtract([.objects, .schemas])
            }
        }
        abilities.emulateTogether(for: call.needs)
        if call.stops.count > Self.maxStops { abilities.remove(.stops) }
        return abilities
    }

    package func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        var call = call
        // Decorators in the folder `Emulation` make the calls for further choices, and find the stop sequences.
        call.choices = 1
        if call.mustCallFunction { call.chatOptions.format = .text }
        if call.stops.count > Self.maxStops { call.stops = [] }
        return wire.chat(CohereForm(chat, model), call, model, by: attempt)
    }
}
