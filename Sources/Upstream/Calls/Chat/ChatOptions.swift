package import Engine
package import Shared

/// The optional fields that only few chat calls have. JSON values are kept as UTF-8 bytes.
package struct ChatOptions: Sendable {
    package struct Sampling: Sendable {
        /// The temperature, from 0 to 2; nil if the request sets none.
        package var temperature: Double?
        /// The nucleus sampling probability, from 0 to 1; nil if the request sets none.
        package var topP: Double?
        package var topK: Int?
        /// The presence penalty, from -2 to 2.
        package var presencePenalty: Double?
        /// The frequency penalty, from -2 to 2.
        package var frequencyPenalty: Double?
        package var seed: Int64?
        /// The field `logit_bias`: a JSON object that maps tokens to biases.
        package var logitBias: Body?
    }

    package struct Tool: Sendable {
        package enum Kind: Sendable {
            case function
            /// A tool whose input is free text, or text that follows a grammar.
            case custom
        }

        package let kind: Kind
        package let name: String
        package let description: String?
        /// The JSON Schema of a function's parameters, or a custom tool's format; nil if there is none.
        package let schema: Body?
        package let isStrict: Bool?
        /// Whether the tool came in the field `functions`, OpenAI's legacy form.
        package let isLegacy: Bool

        package init(
            _ kind: Kind,
            name: String,
            description: String?,
            schema: Body?,
            isStrict: Bool?,
            isLegacy: Bool = false
        ) {
            self.kind = kind
            self.name = name
            self.description = description
            self.schema = schema
            self.isStrict = isStrict
            self.isLegacy = isLegacy
        }
    }

    /// A tool of the request with which the vendor searches the web.
    package struct SearchTool: Sendable {
        /// The index of the tool in the request.
        package let index: Int
        /// Whether the model chooses between the search and other tools. If false, the request is a search.
        package var isOffered = true
        /// The extent of the search, for a vendor whose search has no other option.
        package let search: ChatCall.WebSearch

        package init(index: Int, _ search: ChatCall.WebSearch = .usual) {
            self.index = index
            self.search = search
        }
    }

    package enum ToolChoice: Sendable, Equatable {
        case auto
        case none
        case required
        case named(String)
    }

    package enum Format: Sendable {
        case text
        case object
        /// JSON that follows a schema. `schema` is nil if the request contains no schema.
        case schema(name: String, schema: Body?, isStrict: Bool?)
    }

    package struct Reasoning: Sendable {
        /// The values of the `thinking` option in Anthropic's API.
        package enum Thinking: Sendable {
            /// The request sets only an effort, which does not say whether the model should think.
            case unsaid
            case adaptive
            case budget
            case disabled
        }

        package enum Display: String, Sendable { case summarized, omitted }

        package var effort: String?
        /// Whether the request came in the Responses API, whose field names differ from those of chat completions.
        package var isOfResponses = false
        /// The kind of summary of the reasoning that a request of the Responses API asks for; nil if it asks for none.
        package var summary: String?
        package var verbosity: String?
        /// The maximum number of reasoning tokens; nil if the request sets none.
        package var budgetTokens: Int?
        /// The thinking option; nil if the request sets no thinking option.
        package var thinking: Thinking?
        package var display: Display?
        /// Whether a field that OpenAI's API does not have says it, such as `thinking` in a chat.
        package var isOfServers = false

        /// The reasoning effort for vendors without a thinking option; nil if the request says nothing about reasoning.
        var plainEffort: String? {
            switch thinking {
            case nil, .unsaid: effort ?? budgetTokens.map(Self.effort(ofBudget:))
            case .disabled: "none"
            case .adaptive: effort ?? "medium"
            case .budget: effort ?? Self.effort(ofBudget: budgetTokens ?? 0)
            }
        }

        private static func effort(ofBudget tokens: Int) -> String {
            tokens <= 2_048 ? "low" : tokens <= 8_192 ? "medium" : "high"
        }
    }

    package struct Bookkeeping: Sendable {
        package var user: String?
        /// Whether `user` names an account and a device. Vendors then get only a digest of `user`.
        package var isUserPrivate = false
        package var serviceTier: String?
        /// The speed of Anthropic's API that the request asks for, such as `fast`; nil if it names none.
        package var speed: String?
        package var promptCacheKey: String?
        /// Whether the request asks the vendor to cache its prompt for a day (`prompt_cache_retention`).
        package var wantsLongCache = false
        package var safetyIdentifier: String?
        package var store: Bool?
        /// The metadata that the caller sent, a JSON object; nil if there is none.
        package var metadata: Body?
        /// The output that the caller predicts, a JSON object; nil if there is none.
        package var prediction: Body?
    }

    package struct Advisor: Sendable {
        /// The model as the request names it.
        package let model: String
        /// The number of times that the vendor may ask the advisor.
        package let uses: Int

        package init(model: String, uses: Int) {
            self.model = model
            self.uses = uses
        }
    }

    /// A position in a prompt up to which the vendor caches the prompt for later calls.
    package struct CacheBreakpoint: Sendable {
        package enum Location: Sendable, Equatable {
            /// A position that the vendor chooses.
            case anywhere
            case tool(Int)
            // The positions below are in the message with the index `of`:
            case piece(Int, of: Int)
            case call(Int, of: Int)
            /// The end of the tool result in the message with the index `of`.
            case result(of: Int)
        }

        package let position: Location
        /// Whether the cache entry lives for an hour rather than for minutes.
        package let isLong: Bool

        package init(_ position: Location, isLong: Bool) {
            self.position = position
            self.isLong = isLong
        }
    }

    package static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    static func index(ofEffort word: UnsafeRawBufferPointer) -> Int? {
        efforts.firstIndex { $0.withBytes(word.equals) }
    }
    static let verbosities = ["low", "medium", "high"]
    /// The service tiers that requests may name. The last one belongs to Anthropic's API.
    static let tiers = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast", "standard_only"]

    package var sampling = Sampling()
    private var list = ToolList.read([])
    package var toolChoice = ToolChoice.auto
    /// The request's tool for web search; nil if there is none.
    package var searchTool: SearchTool?
    /// Whether the request turns the search on with the relay's own field `web_search`.
    package var hasSearchFlag = false
    /// The options of the search, at most one of each kind.
    package var searchOptions: [SearchOption] = []
    /// The fields and tools of the request that only its own API has, and that vendors with another API do not get.
    package private(set) var ignored: [String] = []
    /// The names of the chat's fields that the relay does not know, and that the vendor does not get.
    var unread: [String] = []
    package var parallelToolCalls: Bool?
    package var format = Format.text
    /// Whether OpenAI's strict mode refuses the schema of a strict tool or format, although the caller's API accepts it.
    /// The vendor then gets a schema that is not strict, and the relay checks the output.
    package var hasLooseSchemas = false
    package var reasoning = Reasoning()
    package var bookkeeping = Bookkeeping()
    /// The cache breakpoints in prompt order, for vendors that need them.
    package var cacheBreakpoints: [CacheBreakpoint] = []
    /// Whether the request asks for audio as one of its output modalities.
    package var wantsAudioOutput = false
    /// The voice and the format of audio output, a JSON object.
    package var audio: Body?
    /// The advisors among Anthropic's own tools: models that the vendor may ask in the course of the response.
    package var advisors: [Advisor] = []
    package var wantsLogProbabilities = false
    /// The number of alternative tokens to report for each output token.
    package var topLogProbabilities = 0
    /// The parts of the request that only OpenAI's Responses API knows; nil if there are none.
    package var own: Indirect<OwnParts>?

    package init() {}

    static let maxIgnored = 20

    /// Adds a name to the fields and tools that are left out, once.
    package mutating func ignore(_ name: String) {
        guard ignored.count < Self.maxIgnored, !ignored.contains(where: name.hasSameBytes) else { return }
        ignored.append(name)
    }

    private enum ToolList: Sendable {
        case read([Tool])
        case unread(UnreadTools)
    }

    /// The tools of the call. The first use parses tools that are still unread.
    package var tools: [Tool] {
        get {
            switch list {
            case .read(let tools): tools
            case .unread(let unread): unread.tools
            }
        }
        _modify {
            var tools = self.tools
            list = .read([])
            defer { list = .read(tools) }
            yield &tools
        }
    }

    /// Whether the call has tools. Does not parse unread tools.
    package var hasTools: Bool {
        switch list {
        case .read(let tools): !tools.isEmpty
        case .unread: true
        }
    }

    /// Whether the output format has a schema.
    var hasSchema: Bool { if case .schema = format { true } else { false } }

    /// Sets tools that stay unparsed until their first use. They must already be checked.
    package mutating func leave(_ tools: UnreadTools) { list = .unread(tools) }

    /// Sets the request in which unread tools can be found. Does nothing if the tools are parsed.
    func find(in request: OriginalRequest) { if case .unread(let unread) = list { unread.request = request } }

    /// Calls `body` with each text of the tools and of the output schema. Unread tools are one text, with their JSON.
    func forEachTextAsItCame(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard case .unread(let unread) = list, let request = unread.request, toolChoice != .none else {
            return forEachText(body)
        }
        // Of two fields of this name, the first one is read.
        let tools = request.members?.first { $0.name.equals("tools") }?.value ?? RawJSON(request.bytes)["tools"]
        if let tools { body(tools.bytes) }
        forEachFormatText(body)
    }

    /// Calls `body` with each text of the tools and of the output schema. Skips the tools if tool calls are forbidden.
    private func forEachText(_ body: (UnsafeRawBufferPointer) -> Void) {
        for tool in tools where toolChoice != .none {
            tool.name.withBytes(body)
            if let description = tool.description { description.withBytes(body) }
            if let schema = tool.schema { body(schema.bytes) }
        }
        forEachFormatText(body)
    }

    private func forEachFormatText(_ body: (UnsafeRawBufferPointer) -> Void) {
        if case .schema(let name, let schema?, _) = format {
            name.withBytes(body)
            body(schema.bytes)
        }
    }

    var textBytes: Int {
        var bytes = 0
        forEachText { bytes += $0.count }
        return bytes
    }

    func tokens(by counter: TokenCounter) -> Int {
        var tokens = 0
        forEachText { tokens += counter.count($0) }
        return tokens
    }
}
