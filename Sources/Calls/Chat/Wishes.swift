package import Engine
import Shared

/// The fields that few chat calls have. JSON in it is kept as UTF-8.
package struct Wishes: Sendable {
    package struct Sampling: Sendable {
        /// 0 to 2.
        package var temperature: Double?
        /// 0 to 1.
        package var topP: Double?
        package var topK: Int?
        /// -2 to 2, as the next.
        package var presencePenalty: Double?
        package var frequencyPenalty: Double?
        package var seed: Int64?
        /// An object.
        package var logitBias: Body?

        package init() {}
    }

    package struct Tool: Sendable {
        package enum Kind: Sendable {
            case function
            /// Takes free text, or text of a grammar.
            case custom
        }

        package let kind: Kind
        package let name: String
        package let description: String?
        /// JSON Schema of a function's parameters, or the format of a custom tool; nil: none was given.
        package let schema: Body?
        package let isStrict: Bool?
        /// It came as one of `functions`, OpenAI's older form.
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
        /// `schema`: nil: none was given.
        case schema(name: String, schema: Body?, isStrict: Bool?)
    }

    package struct Reasoning: Sendable {
        /// As Anthropic's clients ask for thoughts.
        package enum Thinking: Sendable {
            /// The effort is not about thoughts.
            case unsaid
            case adaptive
            case budget
            case disabled
        }

        package enum Display: Sendable { case summarized, omitted }

        package var effort: String?
        /// Whether the words came by the Responses API, which has other names for their fields.
        package var isOfResponses = false
        package var verbosity: String?
        /// The most tokens that the model may think.
        package var budgetTokens: Int?
        /// Nil: the effort decides.
        package var thinking: Thinking?
        package var display: Display?

        package init() {}

        /// For vendors that know efforts alone: what was said of thinking stands for one.
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
        /// It names an account and a device: only its digest goes to vendors.
        package var isUserPrivate = false
        package var serviceTier: String?
        package var promptCacheKey: String?
        package var safetyIdentifier: String?
        package var store: Bool?
        /// An object.
        package var metadata: Body?
        /// An object.
        package var prediction: Body?

        package init() {}
    }

    /// The end of a part of the prompt that its vendor is to keep for the next call.
    package struct CacheMark: Sendable {
        package enum Place: Sendable, Equatable {
            /// The vendor chooses it.
            case anywhere
            case tool(Int)
            // Of a message, by its place:
            case piece(Int, of: Int)
            case call(Int, of: Int)
            /// Of a call: all of it.
            case result(of: Int)
        }

        package let place: Place
        /// For an hour rather than for minutes.
        package let isLong: Bool

        package init(_ place: Place, isLong: Bool) {
            self.place = place
            self.isLong = isLong
        }
    }

    static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    static let verbosities = ["low", "medium", "high"]
    /// The last one is Anthropic's.
    static let tiers = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast", "standard_only"]

    package var sampling = Sampling()
    private var list = ToolList.read([])
    package var toolChoice = ToolChoice.auto
    package var parallelToolCalls: Bool?
    package var format = Format.text
    package var reasoning = Reasoning()
    package var bookkeeping = Bookkeeping()
    /// In the order of the prompt; for vendors that want to be told.
    package var cacheMarks: [CacheMark] = []
    /// One of the modalities is sound.
    package var isSoundWanted = false
    /// Voice and format of a sound: an object.
    package var audio: Body?
    package var areLogProbabilitiesWanted = false
    /// The number of alternatives at each place.
    package var topLogProbabilities = 0

    package init() {}
}

extension Wishes {
    private enum ToolList: Sendable {
        case read([Tool])
        case unread(UnreadTools)
    }

    /// The tools. Those of a request that may go on as it came are read when somebody asks for them.
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

    /// Leaves the tools in the request, of which it is known that they can be read.
    package mutating func leave(_ tools: UnreadTools) { list = .unread(tools) }

    /// Tells tools that are not read where they stand.
    func find(in request: Body) { if case .unread(let unread) = list { unread.request = request } }

    /// Adds the texts that a reservation counts to an estimate. Tools that are not read count as they are written.
    func add(to estimate: inout PromptEstimate) {
        guard case .unread(let unread) = list, let request = unread.request, toolChoice != .none else {
            return forEachText { estimate.add($0) }
        }
        if let tools = RawJSON(request.bytes)["tools"] { estimate.add(tools.bytes) }
        forEachFormatText { estimate.add($0) }
    }

    /// Of tools that may be called, and of the schema of an answer.
    private func forEachText(_ take: (UnsafeRawBufferPointer) -> Void) {
        for tool in tools where toolChoice != .none {
            tool.name.withBytes(take)
            if let description = tool.description { description.withBytes(take) }
            if let schema = tool.schema { take(schema.bytes) }
        }
        forEachFormatText(take)
    }

    private func forEachFormatText(_ take: (UnsafeRawBufferPointer) -> Void) {
        if case .schema(let name, let schema?, _) = format {
            name.withBytes(take)
            take(schema.bytes)
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
