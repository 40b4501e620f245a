package import Engine
import Shared

/// The optional fields that few chat calls have. JSON values are kept as UTF-8.
package struct ChatOptions: Sendable {
    package struct Sampling: Sendable {
        /// The temperature, from 0 to 2.
        /// The nucleus sampling probability, from 0 to 1.
        package var temperature: Double?
        package var topP: Double?
        package var topK: Int?
        /// The presence penalty, from -2 to 2.
        package var presencePenalty: Double?
        /// The frequency penalty, from -2 to 2.
        package var frequencyPenalty: Double?
        package var seed: Int64?
        /// The bias of tokens, a JSON object.
        package var logitBias: Body?

        package init() {}
    }

    package struct Tool: Sendable {
        package enum Kind: Sendable {
            case function
            /// A tool whose input is free text, or text of a grammar.
            case custom
        }

        package let kind: Kind
        package let name: String
        package let description: String?
        /// The JSON Schema of a function's parameters, or the format of a custom tool; nil if there is none.
        package let schema: Body?
        package let isStrict: Bool?
        /// Whether the tool came in `functions`, OpenAI's legacy form.
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

    package enum ToolChoice: Sendable, Equatable {
        case auto
        case none
        case required
        case named(String)
    }

    package enum Format: Sendable {
        case text
        case object
        /// JSON of a schema; `schema` is nil if the request has none.
        case schema(name: String, schema: Body?, isStrict: Bool?)
    }

    package struct Reasoning: Sendable {
        /// The `thinking` option of Anthropic's API.
        package enum Thinking: Sendable {
            /// The effort says nothing about thinking.
            case unsaid
            case adaptive
            case budget
            case disabled
        }

        package enum Display: Sendable { case summarized, omitted }

        package var effort: String?
        /// Whether the request came by the Responses API, whose field names differ.
        package var isOfResponses = false
        package var verbosity: String?
        /// The most reasoning tokens that the model may use.
        package var budgetTokens: Int?
        /// The thinking option; nil if the effort decides.
        package var thinking: Thinking?
        package var display: Display?

        package init() {}

        /// The reasoning effort for vendors without a thinking option, derived from that option if there is one; nil if
        /// neither is set.
        package var plainEffort: String? {
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
        /// Whether `user` names an account and a device, so that only its digest is sent to vendors.
        package var isUserPrivate = false
        package var serviceTier: String?
        package var promptCacheKey: String?
        package var safetyIdentifier: String?
        package var store: Bool?
        /// The caller's metadata, a JSON object.
        package var metadata: Body?
        /// The predicted output, a JSON object.
        package var prediction: Body?

        package init() {}
    }

    /// A cache breakpoint: the vendor caches the prompt up to it for later calls.
    package struct CacheBreakpoint: Sendable {
        package enum Location: Sendable, Equatable {
            /// A position that the vendor chooses.
            case anywhere
            case tool(Int)
            // The positions below are in the message with the index `of`:
            case piece(Int, of: Int)
            case call(Int, of: Int)
            /// The end of a tool call's result.
            case result(of: Int)
        }

        package let position: Location
        /// Whether the cache lives for an hour rather than for minutes.
        package let isLong: Bool

        package init(_ position: Location, isLong: Bool) {
            self.position = position
            self.isLong = isLong
        }
    }

    static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    static let verbosities = ["low", "medium", "high"]
    /// The service tiers that are accepted. The last one is Anthropic's.
    static let tiers = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast", "standard_only"]

    package var sampling = Sampling()
    private var list = ToolList.read([])
    package var toolChoice = ToolChoice.auto
    package var parallelToolCalls: Bool?
    package var format = Format.text
    package var reasoning = Reasoning()
    package var bookkeeping = Bookkeeping()
    /// The cache breakpoints in the order of the prompt, for vendors that need them.
    package var cacheBreakpoints: [CacheBreakpoint] = []
    /// Whether audio is one of the requested output modalities.
    package var wantsAudioOutput = false
    /// The voice and the format of audio output, a JSON object.
    package var audio: Body?
    package var wantsLogProbabilities = false
    /// The number of alternative tokens to report at each position.
    package var topLogProbabilities = 0

    package init() {}
}

extension ChatOptions {
    private enum ToolList: Sendable {
        case read([Tool])
        case unread(UnreadTools)
    }

    /// The tools of the call. If the request may be forwarded unchanged, they are read only when they are used.
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

    /// Whether there are tools, without reading them.
    package var hasTools: Bool {
        switch list {
        case .read(let tools): !tools.isEmpty
        case .unread: true
        }
    }

    /// Leaves the tools unread in the request. They must be known to be readable.
    package mutating func leave(_ tools: UnreadTools) { list = .unread(tools) }

    /// Sets the request body in which unread tools are found.
    func find(in request: OriginalRequest) { if case .unread(let unread) = list { unread.request = request } }

    /// Adds the texts that a reservation counts to an estimate. Unread tools count as they are written in the request.
    func add(to estimate: inout PromptEstimate) {
        guard case .unread(let unread) = list, let request = unread.request, toolChoice != .none else {
            return forEachText { estimate.add($0) }
        }
        // Of two fields of this name, the first one is read.
        let tools = request.members?.first { $0.name.equals("tools") }?.value ?? RawJSON(request.bytes)["tools"]
        if let tools { estimate.add(tools.bytes) }
        forEachFormatText { estimate.add($0) }
    }

    /// Calls `body` with each text of the tools that may be called and of the output schema.
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
