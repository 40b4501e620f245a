package import Calls
package import Engine
import Limits
package import Shared

/// A server that speaks OpenAI's chat completions.
///
/// `@unchecked`: used on its loop only.
package final class OpenAILike: KeyChecker, @unchecked Sendable {
    package let name: String
    let transport: any Transport
    let parser: JSONParser
    let ids: RandomBytes
    let mends: MendMemory
    let loop: EventLoop
    /// For long answers.
    let worker: Worker
    let completions: Endpoint
    /// The newer name of the bound on tokens is known there.
    let isOpenAI: Bool
    private let models: Endpoint
    private let ownHeaders: [String]
    private var headers = RecentTable<String, UpstreamHeaders>()

    private static let keptHeaders = 1_024

    /// Fails if the URL of the site is invalid.
    package init?(
        _ site: OpenAILikeSite,
        _ transport: any Transport,
        _ mends: MendMemory,
        _ tools: LoopTools
    ) {
        guard let completions = Endpoint(site.baseURL + "/chat/completions", site.options),
            let models = Endpoint(site.baseURL + "/models", site.options)
        else { return nil }
        name = site.name
        self.transport = transport
        parser = tools.parser
        ids = tools.ids
        loop = tools.loop
        worker = tools.worker
        self.mends = mends
        self.completions = completions
        self.models = models
        isOpenAI = completions.isAt("api.openai.com") || completions.isAt("openai.azure.com")
        ownHeaders = site.headers
    }

    /// True unless the server answers 401 to `key`.
    package func accepts(key: String) async -> Bool {
        let call = UpstreamCall(endpoint: models, headers: headers(for: key), body: nil)
        do throws(TransportError) {
            return try await transport.send(call).head.status != 401
        } catch {
            return true
        }
    }

    /// - Parameter key: empty: it wants none.
    func headers(for key: String) -> UpstreamHeaders {
        if let known = headers.use(key) { return known }
        var lines = ["Content-Type: application/json", "User-Agent: relay"]
        if !key.isEmpty { lines.insert("Authorization: Bearer \(key)", at: 0) }
        let names = Set(ownHeaders.map(Self.name))
        let new = UpstreamHeaders(ownHeaders + lines.filter { !names.contains(Self.name($0)) } + ["Expect:"])
        headers.set(key, new, atMost: Self.keptHeaders)
        return new
    }

    private static func name(_ line: String) -> String { line.prefix { $0 != ":" }.lowercased() }
}

/// The parts of a loop, and of the process, that reading answers needs.
package struct LoopTools {
    let loop: EventLoop
    let parser: JSONParser
    let ids: RandomBytes
    let worker: Worker

    package init(_ loop: EventLoop, _ parser: JSONParser, _ ids: RandomBytes, _ worker: Worker) {
        self.loop = loop
        self.parser = parser
        self.ids = ids
        self.worker = worker
    }
}

/// The address of a server, and the times it is waited for.
package struct OpenAILikeSite: Sendable {
    /// The provider's.
    let name: String
    /// With its version's path, without a slash at its end.
    let baseURL: String
    /// Header lines that go before the relay's.
    let headers: [String]
    let options: EndpointOptions

    package init(name: String, baseURL: String, headers: [String], options: EndpointOptions) {
        self.name = name
        self.baseURL = baseURL
        self.headers = headers
        self.options = options
    }
}

extension OpenAILike: ChatVendor {
    package var wires: [Wire] { [.chat] }

    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        var abilities: Abilities = [
            .choices, .stops, .tokenBound, .tools, .toolChoice, .objects, .schemas, .inlineMedia, .sounds, .sampling,
            .reasoning, .functions,
        ]
        // These have no place in the neutral answer.
        if call.original != nil { abilities.formUnion([.logProbabilities, .soundOutput, .customTools]) }
        let mends = mends.mends(of: name, model.id)
        if mends.contains(.noObjects) { abilities.remove(.objects) }
        if mends.contains(.noSchemas) { abilities.remove(.schemas) }
        if mends.contains(.noChoices) { abilities.remove(.choices) }
        return abilities
    }

    package func prepare(_ call: ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat {
        OpenAILikeChat(self, call, model, vendorCall)
    }
}
