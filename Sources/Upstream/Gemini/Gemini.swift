package import Calls
package import Engine
import Limits
package import Shared

/// A server that speaks Google's Gemini API.
///
/// `@unchecked`: used on its loop only.
package final class Gemini: KeyChecker, @unchecked Sendable {
    let wire: WireVendor
    private let site: VendorSite
    private let models: Endpoint
    private let signatures: SignatureMemory
    private var addresses: [String: GeminiAddress] = [:]

    private static let mostAddresses = 1_000

    /// Fails if the URL of the site is invalid.
    package init?(
        _ site: VendorSite,
        _ transport: any Transport,
        _ mends: MendMemory,
        _ signatures: SignatureMemory,
        _ tools: LoopTools
    ) {
        guard let models = Endpoint(site.baseURL + "/v1beta/models?pageSize=1", site.options) else { return nil }
        wire = WireVendor(site.name, transport, Self.headers(site), mends, tools)
        self.site = site
        self.models = models
        self.signatures = signatures
    }

    private static func headers(_ site: VendorSite) -> KeyHeaders {
        KeyHeaders(own: site.headers) { key in
            (key.isEmpty ? [] : ["x-goog-api-key: \(key)"]) + ["Content-Type: application/json"]
        }
    }

    package static func list(_ site: VendorSite, _ transport: any Transport, key: String) -> VendorList {
        var form = VendorList.Form(path: "/v1beta/models?pageSize=1000", members: "models", headers: headers) { model in
            let methods = model["supportedGenerationMethods"]?.elements ?? JSONElements()
            guard let name = model["name"]?.string, methods.contains(where: { $0.text == "generateContent" }) else {
                return nil
            }
            let id = name.hasPrefix("models/") ? String(name.dropFirst("models/".count)) : name
            var live = LiveModel(id: id, owner: "", features: .chat, hasVision: false)
            live?.contextWindow = model["inputTokenLimit"]?.integer.flatMap { Int(exactly: $0) }
            live?.maxOutputTokens = model["outputTokenLimit"]?.integer.flatMap { Int(exactly: $0) }
            return live
        }
        form.next = { root in root["nextPageToken"]?.string.flatMap { $0.isEmpty ? nil : ("pageToken", $0) } }
        return VendorList(site, form, transport, key: key)
    }

    package var name: String { wire.name }

    /// A wrong key is a bad request here.
    package func accepts(key: String) async -> Bool {
        await wire.transport.accepts(key, at: models, wire.headers, refusals: [400, 401])
    }

    /// Nil: no URL can be made of its name.
    private func address(of model: String) -> GeminiAddress? {
        if let known = addresses[model] { return known }
        let isPath = model.utf8.starts(with: "models/".utf8) || model.utf8.starts(with: "tunedModels/".utf8)
        let path = site.baseURL + (isPath ? "/v1beta/" : "/v1beta/models/") + model.escapedInPath
        guard let whole = Endpoint(path + ":generateContent", site.options),
            let stream = Endpoint(path + ":streamGenerateContent?alt=sse", site.options)
        else { return nil }
        if addresses.count >= Self.mostAddresses { addresses = [:] }
        let address = GeminiAddress(whole: whole, stream: stream)
        addresses[model] = address
        return address
    }
}

/// The addresses that calls of one model go to.
struct GeminiAddress: Sendable {
    let whole: Endpoint
    let stream: Endpoint
}

extension Gemini: ChatVendor {
    package var wires: [Wire] { [] }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .sounds, .sampling, .reasoning,
            .functions,
        ]
        let gemini = GeminiModel(model.id)
        let mends = wire.mends.mends(of: name, model.id)
        if gemini.isBare { abilities.subtract([.tools, .functions, .toolChoice, .objects, .schemas]) }
        if mends.contains(.noObjects) { abilities.remove(.objects) }
        if mends.contains(.noSchemas) { abilities.remove(.schemas) }
        let isFormed = !call.needs.isDisjoint(with: [.objects, .schemas])
        if isFormed, !call.needs.isDisjoint(with: [.tools, .functions]), !gemini.takesToolsWithFormat {
            abilities.subtract([.objects, .schemas])
        }
        // All that is emulated is written as text.
        if !call.needs.subtracting(abilities).isDisjoint(with: [.objects, .schemas]) {
            abilities.subtract([.tools, .functions, .toolChoice])
        }
        if call.stops.count > GeminiRequest.mostStops { abilities.remove(.stops) }
        return abilities
    }

    package func prepare(_ call: ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat {
        var call = call
        // Others call for the other choices, and look for the stops.
        call.choices = 1
        if call.stops.count > GeminiRequest.mostStops { call.stops = [] }
        let memory = signatures.memory(of: vendorCall.credential)
        let form = GeminiForm(address(of: model.id), memory, model)
        return WireChat(wire, form, call, model, vendorCall, mends: wire.mends.mends(of: name, model.id))
    }
}

extension String {
    /// As a part of a path: only what would end it, or is not allowed there, is escaped.
    var escapedInPath: String {
        var out = ByteBuffer()
        for byte in utf8 {
            switch byte {
            case 0...32, 127..., UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "%"), UInt8(ascii: ";"):
                out.append("%")
                out.append(byte < 16 ? "0" : "")
                out.append(hex: UInt(byte))
            default: out.append(byte)
            }
        }
        return out.text
    }
}
