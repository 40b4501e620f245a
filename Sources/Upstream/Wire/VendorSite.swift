package import Engine
package import Shared

/// The base URL of a vendor's server, with header lines and time limits of calls.
package struct VendorSite: Sendable {
    /// The name of the provider in the settings.
    let name: String
    /// The base URL, without a slash at its end.
    private(set) var baseURL: String
    /// The header lines in the settings. They replace the relay's header lines with the same names.
    let headers: [String]
    package let options: EndpointOptions
    /// The API for chat calls, from the settings. Nil means `auto` for OpenAI and Azure, and chat completions for all
    /// other servers.
    package var chatsBy: ProviderSettings.ChatPath?
    /// The request fields that the settings allow although they could select another model (see `ForwardedFieldCheck`).
    package var allowedFields: [String] = []
    /// The information about clients that goes on to Anthropic's API.
    package var clientInfo = ProviderSettings.ClientInfo.own
    package var advisor = ProviderSettings.Advisor.drop
    package var promptCache = ProviderSettings.PromptCache.auto
    package var beginnings = RecentBeginnings()
    /// The base URL of 1min.ai's generated and uploaded files, without a slash at its end; empty for other vendors.
    package var assetURL = ""
    /// Whether links to videos stay in prompts for 1min.ai, which then reads these videos and charges for them.
    package var keepsLinks = true

    package init(name: String, baseURL: String, headers: [String], options: EndpointOptions) {
        self.name = name
        self.baseURL = baseURL
        self.headers = headers
        self.options = options
    }

    /// The header lines of calls in which the key, if there is one, is a bearer token.
    var bearerHeaders: KeyHeaders {
        KeyHeaders(own: headers) { key in
            (key.isEmpty ? [] : ["Authorization: Bearer \(key)"]) + ["Content-Type: application/json"]
        }
    }

    /// Returns a copy whose base URL has this path appended.
    func below(_ path: String) -> VendorSite {
        var site = self
        site.baseURL += path
        return site
    }
}

/// The objects that calls to vendors use on one event loop, such as the JSON parser.
package struct LoopTools {
    let loop: EventLoop
    let parser: JSONParser
    let ids: RandomBytes
    /// The queue of the worker thread, which parses long responses.
    let worker: WorkQueue

    package init(_ loop: EventLoop, _ parser: JSONParser, ids: RandomBytes, worker: WorkQueue) {
        self.loop = loop
        self.parser = parser
        self.ids = ids
        self.worker = worker
    }
}
