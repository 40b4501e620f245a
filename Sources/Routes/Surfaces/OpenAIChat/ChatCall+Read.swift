package import Engine
package import Shared
import Upstream

extension ChatCall {
    /// Creates a call from the body of `POST /v1/chat/completions`. Throws if a value is invalid. Ignores unknown
    /// fields.
    init(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) {
        self.init()
        try read(root, defaultModel, reading)
    }

    /// Creates a call from the body of `POST /v1/chat/completions` and parses its tools completely.
    package init(_ root: JSONValue, defaultModel: String?) throws(APIError) {
        try self.init(root, defaultModel: defaultModel, .whole)
    }

    // A function of its own: a value that is built in a throwing initializer is copied at its end.
    private mutating func read(_ root: JSONValue, _ defaultModel: String?, _ reading: ToolReading) throws(APIError) {
        let fields = try RequestFields(root)
        guard let model = try fields.model() ?? defaultModel, !model.isEmpty else { throw .missing("model") }
        self.model = model
        var marks: [ChatOptions.CacheBreakpoint] = []
        var isAmbiguous = false
        messages = try readMessages(fields, &self, &marks, isAmbiguous: &isAmbiguous)
        if isAmbiguous { distinguishCalls() }
        try readFileIDs(fields)
        if let input = try fields.string("new_input") { messages.append(ChatMessage(role: .user, text: input)) }
        isStreamed = try fields.flag("stream") ?? false
        includesUsage = try Self.includesUsage(fields, isStreamed: isStreamed)
        choices = try Self.choices(fields)
        stops = try Self.stops(fields)
        let most = 1...Int(Int32.max)
        let newer = try fields.integer("max_completion_tokens", most)
        let older = try fields.integer("max_tokens", most)
        // A server may read either of the two fields, so the larger bound counts.
        maxTokens = newer.map { max($0, older ?? 0) } ?? older
        if choices > 1 { needs.insert(.choices) }
        if !stops.isEmpty { needs.insert(.stops) }
        if maxTokens != nil { needs.insert(.tokenBound) }
        if !attachments.isEmpty { needs.insert(.inlineMedia) }
        try readChatOptions(fields, marks, reading)
        try readWebSearch(fields)
        countIfLong()
    }

    static func includesUsage(_ fields: RequestFields, isStreamed: Bool) throws(APIError) -> Bool {
        guard let options = try fields.object("stream_options") else { return false }
        guard isStreamed else { throw .value("stream_options", "is only allowed when 'stream' is true") }
        guard let value = options["include_usage"] else { return false }
        guard let flag = value.flag else { throw .type("stream_options.include_usage", "a boolean") }
        return flag
    }

    static func choices(_ fields: RequestFields) throws(APIError) -> Int {
        let choices = try fields.integer("n", 1...Int(Int32.max)) ?? 1
        guard choices <= 8 else { throw .value("n", "at most 8 choices are supported") }
        return choices
    }

    static func stops(_ fields: RequestFields) throws(APIError) -> [String] {
        guard let value = fields["stop"] else { return [] }
        if let one = value.text { return try stop(one, "stop").map { [$0] } ?? [] }
        guard let elements = value.elements else { throw .type("stop", "a string or an array of strings") }
        var stops: [String] = []
        for (index, element) in elements.enumerated() {
            guard index < 4 else { throw .value("stop", "at most 4 sequences are allowed") }
            guard let text = element.text else { throw .type("stop[\(index)]", "a string") }
            if let stop = try stop(text, "stop[\(index)]") { stops.append(stop) }
        }
        return stops
    }

    private static let stopLimitBytes = 1_000

    /// Returns the text as a stop sequence; nil if the text is empty. Throws if it is too long.
    static func stop(_ text: UnsafeRawBufferPointer, _ param: String) throws(APIError) -> String? {
        guard text.count <= stopLimitBytes else { throw .tooLong(param, text.count, limitBytes: stopLimitBytes) }
        return text.isEmpty ? nil : text.text
    }

    /// Reads `file_ids`: stored files that belong to the whole conversation and not to one message.
    private mutating func readFileIDs(_ fields: RequestFields) throws(APIError) {
        var index = 0
        for element in try fields.array("file_ids") ?? JSONElements() {
            let param = "file_ids[\(index)]"
            guard let id = element.string else { throw .type(param, "a string") }
            try attachments.add(Attachment(.file, .file(id: id), param: param, isOfWhole: true))
            index += 1
        }
    }

    mutating func readWebSearch(_ fields: RequestFields) throws(APIError) {
        if let options = try fields.object("web_search_options") {
            webSearch = try WebSearch(options, "web_search_options")
            let read = try [SearchOption](tool: options, "web_search_options")
            if !read.isEmpty { chatOptions.searchOptions = read }
            needs.insert(.searchOptions)
        }
        let flag = try fields.flag("web_search")
        if flag ?? false, !needs.contains(.searchOptions) {
            webSearch = .usual
            chatOptions.hasSearchFlag = true
            needs.insert(.searchOptions)
        }
        refusesSearch = flag == false && webSearch == nil
        let sites = try fields.integer("num_of_site", 1...10)
        let words = try fields.integer("max_word", 1...100_000)
        guard webSearch != nil else { return }
        if let sites { webSearch?.sites = sites }
        if let words { webSearch?.words = words }
        // Vendors without these options leave them out, and say so.
        let extent: KeyValuePairs<StaticString, Int?> = ["num_of_site": sites, "max_word": words]
        for case (let name, let number?) in extent {
            chatOptions.searchOptions.append(SearchOption(.extent, name, Body(ByteBuffer("\(number)"))))
        }
    }
}

extension ChatCall.WebSearch {
    /// Creates the web search options from an object with the member `search_context_size`.
    init(_ options: JSONValue, _ param: String) throws(APIError) {
        var sites = 3
        if let size = options["search_context_size"] {
            switch size.text {
            case "low": sites = 1
            case "medium": sites = 3
            case "high": sites = 5
            case nil: throw .type("\(param).search_context_size", "a string")
            default: throw .value("\(param).search_context_size", "must be low, medium or high")
            }
        }
        self.init(sites: sites, words: 500)
    }
}
