import Engine
import Shared
import Upstream

extension ChatCall {
    /// Reads the fields that few requests have, such as tools and sampling options.
    mutating func readChatOptions(
        _ fields: RequestFields,
        _ marks: [ChatOptions.CacheBreakpoint],
        _ reading: ToolReading
    ) throws(APIError) {
        var said = Indirect(ChatOptions())
        var isSaid = !marks.isEmpty
        try readTools(fields, &said.value, &isSaid, reading)
        if !marks.isEmpty { said.value.cacheBreakpoints += marks }
        try readFunctions(fields, &said.value, &isSaid)
        try readSampling(fields, &said.value.sampling, &isSaid)
        try readBookkeeping(fields, &said.value, &isSaid)
        try readLogProbabilities(fields, &said.value, &isSaid)
        try readFormat(fields, &said.value, &isSaid)
        try fields.refuseBlocking()
        for modality in try fields.array("modalities") ?? JSONElements() where modality.text != "text" {
            said.value.wantsAudioOutput = true
        }
        if let audio = fields["audio"]?.body { said.value.audio = audio }
        if said.value.wantsAudioOutput || said.value.audio != nil {
            needs.insert(.audioOutput)
            isSaid = true
        }
        if isSaid { setOptions(said) }
    }

    /// Reads only the sampling options of a request, and the fields that name its user.
    mutating func readSampling(_ fields: RequestFields) throws(APIError) {
        var chatOptions = ChatOptions()
        var isSaid = false
        try readSampling(fields, &chatOptions.sampling, &isSaid)
        try read("user", fields, &chatOptions.bookkeeping.user, &isSaid)
        try read("safety_identifier", fields, &chatOptions.bookkeeping.safetyIdentifier, &isSaid)
        if isSaid { self.chatOptions = chatOptions }
    }

    func readSampling(
        _ fields: RequestFields,
        _ sampling: inout ChatOptions.Sampling,
        _ isSaid: inout Bool
    ) throws(APIError) {
        sampling.temperature = try fields.number("temperature", 0...2)
        sampling.topP = try fields.number("top_p", 0...1)
        sampling.presencePenalty = try fields.number("presence_penalty", -2...2)
        sampling.frequencyPenalty = try fields.number("frequency_penalty", -2...2)
        if let seed = fields["seed"] {
            guard seed.kind == .integer else { throw .type("seed", "an integer") }
            sampling.seed = seed.integer
            isSaid = true
        }
        if let bias = try fields.object("logit_bias") {
            sampling.logitBias = bias.body
            isSaid = true
        }
        if sampling.temperature != nil || sampling.topP != nil || sampling.presencePenalty != nil
            || sampling.frequencyPenalty != nil
        {
            isSaid = true
        }
    }

    func readBookkeeping(
        _ fields: RequestFields,
        _ chatOptions: inout ChatOptions,
        _ isSaid: inout Bool
    ) throws(APIError) {
        if let metadata = try fields.object("metadata") {
            chatOptions.bookkeeping.metadata = metadata.body
            isSaid = true
        }
        if let prediction = try fields.object("prediction") {
            chatOptions.bookkeeping.prediction = prediction.body
            isSaid = true
        }
        if let store = try fields.flag("store") {
            chatOptions.bookkeeping.store = store
            isSaid = true
        }
        try read("user", fields, &chatOptions.bookkeeping.user, &isSaid)
        try read("service_tier", fields, &chatOptions.bookkeeping.serviceTier, &isSaid)
        try read("prompt_cache_key", fields, &chatOptions.bookkeeping.promptCacheKey, &isSaid)
        if fields["prompt_cache_retention"]?.text?.equals("24h") ?? false {
            chatOptions.bookkeeping.wantsLongCache = true
            isSaid = true
        }
        if let mark = fields["cache_control"].flatMap({ ChatOptions.CacheBreakpoint(.anywhere, $0) }) {
            chatOptions.cacheBreakpoints.append(mark)
            isSaid = true
        }
        try read("safety_identifier", fields, &chatOptions.bookkeeping.safetyIdentifier, &isSaid)
        try read("reasoning_effort", fields, &chatOptions.reasoning.effort, &isSaid)
        try read("verbosity", fields, &chatOptions.reasoning.verbosity, &isSaid)
    }

    private func read(
        _ name: StaticString,
        _ fields: RequestFields,
        _ word: inout String?,
        _ isSaid: inout Bool
    ) throws(APIError) {
        guard let said = try fields.string(name) else { return }
        word = said
        isSaid = true
    }

    mutating func readLogProbabilities(
        _ fields: RequestFields,
        _ chatOptions: inout ChatOptions,
        _ isSaid: inout Bool
    ) throws(APIError) {
        let isWanted = try fields.flag("logprobs") ?? false
        let count = try fields.integer("top_logprobs", 0...20) ?? 0
        guard isWanted || count > 0 else { return }
        chatOptions.wantsLogProbabilities = isWanted
        chatOptions.topLogProbabilities = count
        needs.insert(.logProbabilities)
        isSaid = true
    }
}
