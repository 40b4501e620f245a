import Engine
import Shared
import Upstream

extension Transcript {
    /// Returns the transcript in the requested format. Throws if the transcript lacks data for this format.
    func response(to call: TranscriptionCall) throws(APIError) -> MediaResponse {
        switch call.format {
        case .json: return .json(ByteBuffer(json: plainJSON(call.purpose)))
        case .text: return .whole(type: "text/plain; charset=utf-8", Body(ByteBuffer(text)))
        case .srt:
            guard text.isEmpty || text.hasCues else { throw .notGiven }
            return .whole(type: "text/plain; charset=utf-8", Body(ByteBuffer(text)))
        case .vtt:
            guard text.utf8.starts(with: "WEBVTT".utf8) else { throw .notGiven }
            return .whole(type: "text/vtt; charset=utf-8", Body(ByteBuffer(text)))
        case .verboseJSON:
            guard let body = verboseJSON(call.purpose) else { throw .notGiven }
            return .json(ByteBuffer(json: body))
        case .diarizedJSON: throw .notGiven
        }
    }
}

extension APIError {
    fileprivate static var notGiven: APIError {
        .unsupportedValue("response_format", "the provider did not return the data for this format; use json or text")
    }
}

extension String {
    /// Whether the text looks like SRT subtitles: it begins with a number and contains a time range.
    fileprivate var hasCues: Bool {
        var text = self
        return text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            guard let first = scan.bytes[part: scan.word()].first, (48...57).contains(first) else { return false }
            return scan.find(" --> ")
        }
    }
}

extension Transcript {
    fileprivate func plainJSON(_ purpose: TranscriptionCall.Purpose) -> JSONFragment {
        let shown = purpose == .transcription ? usage : nil
        let counts = shown.map { usage -> JSONFragment in
            #"""
            {"type":"tokens","input_tokens":\#(usage.promptTokens),"output_tokens":\#(usage.completionTokens),\#
            "total_tokens":\#(usage.totalTokens)}
            """#
        }
        return #"{"text":\#(text)\#(member: "usage", counts)}"#
    }

    /// Returns the transcript as `verbose_json`; nil if the language or the duration is missing.
    fileprivate func verboseJSON(_ purpose: TranscriptionCall.Purpose) -> JSONFragment? {
        guard let language, let durationSeconds, durationSeconds.isFinite else { return nil }
        let usage: JSONFragment? =
            purpose == .transcription ? #"{"type":"duration","seconds":\#(durationSeconds)}"# : nil
        return #"""
            {"task":\#(purpose == .translation ? "translate" : "transcribe"),"language":\#(language),\#
            "duration":\#(durationSeconds),"text":\#(text)\#(member: "segments", segments?.map(\.json))\#
            \#(member: "usage", usage)}
            """#
    }
}

extension Transcript.Segment {
    fileprivate var json: JSONFragment {
        #"""
        {"id":\#(id),"seek":\#(seek),"text":\#(text),"tokens":\#(tokens),"start":\#(start),"end":\#(end),\#
        "temperature":\#(temperature),"avg_logprob":\#(averageLogProbability),\#
        "compression_ratio":\#(compressionRatio),"no_speech_prob":\#(noSpeechProbability)}
        """#
    }
}
