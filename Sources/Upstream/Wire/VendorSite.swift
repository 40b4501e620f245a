package import Engine
package import Shared

/// The address of a vendor, or of a compatible server, with headers and time-outs.
package struct VendorSite: Sendable {
    /// The provider's name.
    let name: String
    /// The URL without a slash at its end.
    let baseURL: String
    /// The operator's header lines, which replace the relay's of the same name.
    let headers: [String]
    package let options: EndpointOptions
    /// The endpoint for chats at a provider of kind `openai`; nil means `auto` at OpenAI and Azure, else `chat`.
    let chatsBy: ProviderSettings.ChatPath?
    /// The `RoutingFields` that the settings let pass to the provider, although they may choose another model.
    let allowedFields: [String]

    package init(
        name: String,
        baseURL: String,
        headers: [String],
        options: EndpointOptions,
        chatsBy: ProviderSettings.ChatPath? = nil,
        allowedFields: [String] = []
    ) {
        self.allowedFields = allowedFields
        self.chatsBy = chatsBy
        self.name = name
        self.baseURL = baseURL
        self.headers = headers
        self.options = options
    }

    /// Returns the site with a path added to its URL.
    func below(_ path: String) -> VendorSite {
        VendorSite(
            name: name,
            baseURL: baseURL + path,
            headers: headers,
            options: options,
            chatsBy: chatsBy,
            allowedFields: allowedFields
        )
    }
}

/// The services of a loop, and of the process, that calls to vendors need.
package struct LoopTools {
    let loop: EventLoop
    let parser: JSONParser
    let ids: RandomBytes
    /// The work queue that reads long responses.
    let worker: WorkQueue

    package init(_ loop: EventLoop, _ parser: JSONParser, ids: RandomBytes, worker: WorkQueue) {
        self.loop = loop
        self.parser = parser
        self.ids = ids
        self.worker = worker
    }
}
