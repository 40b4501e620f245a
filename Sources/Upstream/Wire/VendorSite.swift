package import Engine
package import Shared

/// The address of a vendor, or of a server that stands for it, and the times it is waited for.
package struct VendorSite: Sendable {
    /// The provider's.
    let name: String
    /// Without a slash at its end.
    let baseURL: String
    /// Header lines that go before the relay's.
    let headers: [String]
    package let options: EndpointOptions
    /// Of the kind openai; nil: `auto` at OpenAI and Azure, else `chat`.
    let chatsBy: ProviderSettings.ChatPath?
    /// Fields of `RoutingFields` that pass.
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

    /// The part of it below that path.
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

/// The parts of a loop, and of the process, that calling vendors needs.
package struct LoopTools {
    let loop: EventLoop
    let parser: JSONParser
    let ids: RandomBytes
    /// For long answers.
    let worker: WorkQueue

    package init(_ loop: EventLoop, _ parser: JSONParser, _ ids: RandomBytes, _ worker: WorkQueue) {
        self.loop = loop
        self.parser = parser
        self.ids = ids
        self.worker = worker
    }
}
