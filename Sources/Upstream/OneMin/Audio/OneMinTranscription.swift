import Engine
package import Shared

extension OneMin: TranscriptionProvider {
    package func prepare(_ call: TranscriptionCall, for model: Model) throws(APIError) -> any PreparedTranscription {
        var opening = ByteBuffer()
        switch call.purpose {
        case .transcription: opening.append(#"{"type":"SPEECH_TO_TEXT""#)
        case .translation:
            guard model.id == OneMinModels.translator else { throw .modelNotFound(call.model) }
            opening.append(#"{"type":"AUDIO_TRANSLATOR","conversationId":"AUDIO_TRANSLATOR""#)
        }
        opening.append(#","model":"#, json: model.id, #","promptObject":{"audioUrl":"#)
        var members = ByteBuffer()
        try TranscriptionFamily(of: model.id).append(call, to: &members)
        members.append("}}")
        let isDetailed = call.format == .verboseJSON
        let feature = call.purpose == .transcription ? OneMinFeature.speechToText : .audioTranslation
        let use = OneMinUse(model: model.id, feature: feature)
        return OneMinTranscription(self, use, Body(opening), members: Body(members), isDetailed: isDetailed)
    }
}

/// A call to 1min.ai that transcribes or translates audio.
final class OneMinTranscription: PreparedTranscription, OnLoop, @unchecked Sendable {
    private let vendor: OneMin
    private let use: OneMinUse
    /// The bytes of the request body before the path of the uploaded file.
    private let opening: Body
    private let members: Body
    private let isDetailed: Bool

    init(_ vendor: OneMin, _ use: OneMinUse, _ opening: Body, members: Body, isDetailed: Bool) {
        self.vendor = vendor
        self.use = use
        self.opening = opening
        self.members = members
        self.isDetailed = isDetailed
    }

    func transcript(of file: UploadedAsset, by attempt: Attempt) async throws(UpstreamError) -> Transcript {
        var body = ByteBuffer()
        body.append(opening.bytes)
        body.append(json: file.path)
        body.append(members.bytes)
        let record = try await vendor.complete(Body(body), use, attempt: attempt) {
            [vendor, use] (call) async throws(UpstreamError) in try await vendor.record(of: call, use, attempt)
        }
        return try Transcript(record: record.bytes, isDetailed: isDetailed, vendor.parser)
    }
}

extension Transcript {
    /// Creates a transcript from the JSON record that 1min.ai returns for a finished call.
    /// - Parameters:
    ///   - bytes: the record, which must be in a `ByteBuffer`, as the JSON parser requires.
    ///   - isDetailed: whether the client wants details. `responseObject` then wins if it names the language.
    init(record bytes: UnsafeRawBufferPointer, isDetailed: Bool, _ parser: JSONParser) throws(UpstreamError) {
        let record = try OneMinRecord.checked(bytes, parser)
        let metadata = record["metadata"]
        // Transcriptions may have no completion tokens.
        let (usage, credits) = (OneMinRecord.usage(metadata, hasText: false), OneMinRecord.credits(metadata))
        let detail = record["aiRecordDetail"]
        let result = Self.first(detail?["resultObject"])
        let response = detail?["responseObject"].flatMap { Transcript(document: $0, usage, credits) }
        if isDetailed, let response, response.language != nil {
            self = response
        } else if let result, let document = Transcript(document: result, usage, credits) {
            self = document
        } else if let plain = result?.text, !plain.isEmpty || response == nil {
            self = Self.read(plain, usage, credits: credits, parser: parser)
        } else if let response {
            self = response
        } else {
            throw OneMinRecord.withoutResult(record)
        }
    }

    private static func first(_ result: JSONValue?) -> JSONValue? {
        guard let elements = result?.elements else { return result }
        return elements.first { $0.kind == .string || $0["text"]?.kind == .string }
    }

    /// Creates a transcript from a string of the vendor: the transcript's text, or JSON that contains this text.
    private static func read(
        _ text: UnsafeRawBufferPointer,
        _ usage: Usage?,
        credits: Int?,
        parser: JSONParser
    ) -> Transcript {
        var copy = ByteBuffer()
        copy.append(text)
        if copy.bytes.first(where: { $0 > 32 }) == UInt8(ascii: "{"), let root = try? parser.parse(copy.bytes),
            let document = Transcript(document: root, usage, credits)
        {
            return document
        }
        return Transcript(
            text: copy.text,
            language: nil,
            durationSeconds: nil,
            segments: nil,
            usage: usage,
            credits: credits
        )
    }

    /// Creates a transcript from a JSON object; nil if the object has no member `text`.
    private init?(document: JSONValue, _ usage: Usage?, _ credits: Int?) {
        guard let text = document["text"]?.string else { return nil }
        self.init(
            text: text,
            language: document["language"]?.string,
            durationSeconds: document["duration"].flatMap { $0.number ?? $0.string.flatMap(Double.init) },
            segments: document["segments"].flatMap(Self.segments),
            usage: usage,
            credits: credits
        )
    }

    private static func segments(_ list: JSONValue) -> [Segment]? {
        guard let elements = list.elements else { return nil }
        var segments: [Segment] = []
        for element in elements {
            guard let segment = Segment(element) else { return nil }
            segments.append(segment)
        }
        return segments
    }
}

extension Transcript.Segment {
    fileprivate init?(_ value: JSONValue) {
        guard let id = value["id"]?.integer, let seek = value["seek"]?.integer, let text = value["text"]?.string,
            let start = value["start"]?.number, let end = value["end"]?.number, let tokens = value["tokens"]?.elements,
            let temperature = value["temperature"]?.number, let average = value["avg_logprob"]?.number,
            let ratio = value["compression_ratio"]?.number, let silence = value["no_speech_prob"]?.number
        else { return nil }
        var numbers: [Int] = []
        for token in tokens {
            guard let number = token.integer else { return nil }
            numbers.append(Int(number))
        }
        self.init(
            id: Int(id),
            seek: Int(seek),
            times: (start, end),
            text: text,
            tokens: numbers,
            quality: (temperature, average, ratio, silence)
        )
    }
}
