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
}
