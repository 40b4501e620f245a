package import Engine
import Limits
package import Shared

/// Calls servers with Google's Gemini API.
package final class Gemini: KeyChecker, OnLoop, @unchecked Sendable {
    let wire: WireVendor
    private let site: VendorSite
    private let models: Endpoint
    private let signatures: ToolCallMemory
    private var addresses: [String: ModelAddress] = [:]

    private static let maxAddresses = 1_000

    /// Creates the vendor; nil if the base URL in `site` is invalid.
    package init?(
        _ site: VendorSite,
        _ transport: any Transport,
        quirks: QuirkMemory,
        signatures: ToolCallMemory,
        tools: LoopTools
    ) {
        guard let models = Endpoint(site.baseURL + "/v1beta/models?pageSize=1", site.options.forChecks) else {
            return nil
        }
        wire = WireVendor(site.name, transport, headers: Self.headers(site), quirks: quirks, tools: tools)
        self.site = site
        self.models = models
        self.signatures = signatures
    }

    private static func headers(_ site: VendorSite) -> KeyHeaders {
        KeyHeaders(own: site.headers) { key in
            (key.isEmpty ? [] : ["x-goog-api-key: \(key)"]) + ["Content-Type: application/json"]
        }
    }

    package static func list(_ site: VendorSite, _ transport: any Transport, keys: [String]) -> VendorList {
        var form = VendorList.Form(path: "/v1beta/models?pageSize=1000", members: "models", headers: headers) { model in
            let methods = model["supportedGenerationMethods"]?.elements ?? JSONElements()
            guard let name = model["name"]?.string, methods.contains(where: { $0.text == "generateContent" }) else {
                return nil
            }
            let id = name.hasPrefix("models/") ? String(name.dropFirst("models/".count)) : name
            var live = LiveModel(id: id, owner: "", features: .chat, hasVision: false)
            live?.contextWindow = model["inputTokenLimit"]?.integer.flatMap { Int(exactly: $0) }
            live?.maxOutputTokens = model["outputTokenLimit"]?.integer.flatMap { Int(exactly: $0) }
            if let thinks = model["thinking"]?.flag { live?.facts.set(.reasoning, thinks) }
            return live
        }
        form.next = { root in root["nextPageToken"]?.string.flatMap { $0.isEmpty ? nil : ("pageToken", $0) } }
        return VendorList(site, form, transport: transport, keys: keys)
    }

    /// Returns whether Google accepts the key. Google responds with status 400 to an invalid key.
    package func accepts(key: String) async -> Bool {
        await wire.transport.accepts(key, at: models, wire.headers, refusals: [400, 401])
    }

    /// Returns the URLs for calls to a model; nil if the model's name cannot be part of a URL.
    private func address(of model: String) -> ModelAddress? {
        if let known = addresses[model] { return known }
        let isPath = model.utf8.starts(with: "models/".utf8) || model.utf8.starts(with: "tunedModels/".utf8)
        let path = site.baseURL + (isPath ? "/v1beta/" : "/v1beta/models/") + model.escapedInPath
        guard let whole = Endpoint(path + ":generateContent", site.options),
            let stream = Endpoint(path + ":streamGenerateContent?alt=sse", site.options)
        else { return nil }
        if addresses.count >= Self.maxAddresses { addresses = [:] }
        let address = ModelAddress(whole: whole, stream: stream)
        addresses[model] = address
        return address
    }
}

extension Gemini: WireChatVendor {
    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        wire.abilitiesOfGemini(for: call, of: model)
    }

    /// Whether Gemini thinks unseen: it sends at most summaries of its thoughts.
    package func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool { true }

    /// Whether Google itself can read the file at this URL.
    package func reads(_ address: String) -> Bool {
        if address.begins(with: Attachment.cloudScheme) || address.begins(with: Self.files) { return true }
        return address.begins(with: site.baseURL + "/v1beta/files/")
    }

    private static let files = "https://generativelanguage.googleapis.com/v1beta/files/"

    package var sharesMemory: Bool { signatures.isShared }

    package func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async {
        await AccountSignatures(signatures, of: attempt.credential).recall(for: call.messages, on: wire.tools.loop)
    }

    package func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        let memory = AccountSignatures(signatures, of: attempt.credential)
        return wire.chatOfGemini(
            GeminiForm(address(of: model.id), memory, model: model),
            call,
            model: model,
            attempt: attempt
        )
    }
}

extension String {
    /// The string escaped for the path of a URL. Slashes are not escaped.
    var escapedInPath: String { utf8.percentEncoded(except: "!\"$&'()*+,-./:<=>@[\\]^_`{|}~") }
}
