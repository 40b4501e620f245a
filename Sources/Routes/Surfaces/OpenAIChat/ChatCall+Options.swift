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
        var given = GivenOptions()
        try readTools(fields, &given, reading)
        if !marks.isEmpty {
            given.options.cacheBreakpoints += marks
            given.hasAny = true
        }
        try readFunctions(fields, &given)
        try given.readSampling(fields)
        try given.readBookkeeping(fields)
        given.readOptionsOfServers(fields)
        try readLogProbabilities(fields, &given)
        try readFormat(fields, &given)
        try fields.refuseBlocking()
        for modality in try fields.array("modalities") ?? JSONElements() where modality.text != "text" {
            given.options.wantsAudioOutput = true
        }
        if let audio = fields["audio"]?.body { given.options.audio = audio }
        if given.options.wantsAudioOutput || given.options.audio != nil {
            needs.insert(.audioOutput)
            given.hasAny = true
        }
        given.move(to: &self)
    }

    /// Reads only the sampling options of a request, and the fields that name its user.
    mutating func readSampling(_ fields: RequestFields) throws(APIError) {
        var given = GivenOptions()
        try given.readSampling(fields)
        try given.readUser(fields)
        given.move(to: &self)
    }

    mutating func readLogProbabilities(_ fields: RequestFields, _ given: inout GivenOptions) throws(APIError) {
        let isWanted = try fields.flag("logprobs") ?? false
        let count = try fields.integer("top_logprobs", 0...20) ?? 0
        guard isWanted || count > 0 else { return }
        given.options.wantsLogProbabilities = isWanted
        given.options.topLogProbabilities = count
        needs.insert(.logProbabilities)
        given.hasAny = true
    }
}
