import Engine
import Shared
import Upstream

/// The options of a chat request while its fields are read.
struct GivenOptions {
    var options = ChatOptions()
    /// Whether the request gives any option. The call of a request without options keeps none.
    var hasAny = false

    /// Sets an option to the value that the request gives. Leaves the option if the request gives none.
    @inline(__always)
    static func set<Value>(_ option: inout Value?, _ value: Value?, _ hasAny: inout Bool) {
        guard let value else { return }
        option = value
        hasAny = true
    }

    /// Moves the options into the call, if the request gives any.
    mutating func move(to call: inout ChatCall) {
        guard hasAny else { return }
        var moved = ChatOptions()
        swap(&moved, &options)
        call.setOptions(Indirect(consume moved))
    }

    mutating func readSampling(_ fields: RequestFields) throws(APIError) {
        try Self.set(&options.sampling.temperature, fields.number("temperature", 0...2), &hasAny)
        try Self.set(&options.sampling.topP, fields.number("top_p", 0...1), &hasAny)
        try Self.set(&options.sampling.presencePenalty, fields.number("presence_penalty", -2...2), &hasAny)
        try Self.set(&options.sampling.frequencyPenalty, fields.number("frequency_penalty", -2...2), &hasAny)
        if let seed = fields["seed"] {
            guard seed.kind == .integer else { throw .type("seed", "an integer") }
            options.sampling.seed = seed.integer
            hasAny = true
        }
        try Self.set(&options.sampling.logitBias, fields.object("logit_bias")?.body, &hasAny)
    }

    /// Reads the fields that name the user of the request.
    mutating func readUser(_ fields: RequestFields) throws(APIError) {
        try Self.set(&options.bookkeeping.user, fields.string("user"), &hasAny)
        try Self.set(&options.bookkeeping.safetyIdentifier, fields.string("safety_identifier"), &hasAny)
    }

    mutating func readBookkeeping(_ fields: RequestFields) throws(APIError) {
        try Self.set(&options.bookkeeping.metadata, fields.object("metadata")?.body, &hasAny)
        try Self.set(&options.bookkeeping.prediction, fields.object("prediction")?.body, &hasAny)
        try Self.set(&options.bookkeeping.store, fields.flag("store"), &hasAny)
        try Self.set(&options.bookkeeping.user, fields.string("user"), &hasAny)
        try Self.set(&options.bookkeeping.serviceTier, fields.string("service_tier"), &hasAny)
        try Self.set(&options.bookkeeping.promptCacheKey, fields.string("prompt_cache_key"), &hasAny)
        if fields["prompt_cache_retention"]?.text?.equals("24h") ?? false {
            options.bookkeeping.wantsLongCache = true
            hasAny = true
        }
        if let mark = fields["cache_control"].flatMap({ ChatOptions.CacheBreakpoint(.anywhere, $0) }) {
            options.cacheBreakpoints.append(mark)
            hasAny = true
        }
        try Self.set(&options.bookkeeping.safetyIdentifier, fields.string("safety_identifier"), &hasAny)
        try Self.set(&options.reasoning.effort, fields.string("reasoning_effort"), &hasAny)
        try Self.set(&options.reasoning.verbosity, fields.string("verbosity"), &hasAny)
    }

    mutating func readThinking(_ thinking: JSONValue) throws(APIError) {
        let type = try thinking.requiredText("type", "thinking")
        if let budget = thinking["budget_tokens"] {
            guard let tokens = budget.integer else { throw .type("thinking.budget_tokens", "an integer") }
            guard (1...Int64(Int32.max)).contains(tokens) else {
                throw .value("thinking.budget_tokens", "must be at least 1")
            }
            options.reasoning.budgetTokens = Int(tokens)
        }
        switch type {
        case "enabled": options.reasoning.thinking = .budget
        case "adaptive", "auto": options.reasoning.thinking = .adaptive
        case "disabled", "between_tools": options.reasoning.thinking = .disabled
        default: break
        }
        switch thinking["display"]?.text {
        case "summarized": options.reasoning.display = .summarized
        case "omitted": options.reasoning.display = .omitted
        default: break
        }
    }

    /// Reads options that many servers have besides OpenAI's, for vendors with another API. A value in an unknown form
    /// is no error: a server may know it.
    mutating func readOptionsOfServers(_ fields: RequestFields) {
        if let topK = fields["top_k"]?.integer, 1...Int64(Int32.max) ~= topK {
            options.sampling.topK = Int(topK)
            hasAny = true
        }
        let given = options.reasoning
        if let thinking = fields["thinking"] {
            try? readThinking(thinking)
            // Servers other than Claude's need no budget.
            if options.reasoning.budgetTokens == nil, options.reasoning.thinking == .budget {
                options.reasoning.thinking = .adaptive
            }
        }
        if options.reasoning.thinking == nil, let reasoning = fields["reasoning"] { readReasoning(reasoning) }
        if options.reasoning.thinking == nil, let isOn = fields["enable_thinking"]?.flag {
            options.reasoning.thinking = isOn ? .adaptive : .disabled
        }
        guard options.reasoning.thinking != nil || options.reasoning.effort != given.effort else {
            options.reasoning = given
            return
        }
        options.reasoning.isOfServers = true
        options.reasoning.display = options.reasoning.display ?? .summarized
        hasAny = true
    }

    /// Reads the object `reasoning` of OpenRouter.
    private mutating func readReasoning(_ reasoning: JSONValue) {
        if let effort = reasoning["effort"]?.string, ChatOptions.efforts.contains(where: effort.hasSameBytes) {
            options.reasoning.effort = options.reasoning.effort ?? effort
        }
        if let most = reasoning["max_tokens"]?.integer, 1...Int64(Int32.max) ~= most {
            (options.reasoning.thinking, options.reasoning.budgetTokens) = (.budget, Int(most))
        } else if let isOn = reasoning["enabled"]?.flag {
            options.reasoning.thinking = isOn ? .adaptive : .disabled
        }
        if reasoning["exclude"]?.flag == true { options.reasoning.display = .omitted }
    }
}
