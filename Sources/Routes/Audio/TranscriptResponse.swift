import Calls
import Engine
import Shared
import Upstream

extension Exchange {
    /// Sends a transcript in the requested format. Throws if the transcript lacks data for this format.
    func send(_ transcript: Transcript, _ call: TranscriptionCall) throws(APIError) {
        let text = transcript.text
        switch call.format {
        case .json: send(json: transcript.plainJSON(call.purpose))
        case .text: send(200, type: "text/plain; charset=utf-8", body: ByteBuffer(text))
        case .srt:
            guard text.isEmpty || text.hasCues else { throw .notGiven }
            send(200, type: "text/plain; charset=utf-8", body: ByteBuffer(text))
        case .vtt:
            guard text.utf8.starts(with: "WEBVTT".utf8) else { throw .notGiven }
            send(200, type: "text/vtt; charset=utf-8", body: ByteBuffer(text))
        case .verboseJSON:
            guard let body = transcript.verboseJSON(call.purpose) else { throw .notGiven }
            send(json: body)
        case .diarizedJSON: throw .notGiven
        }
    }
}

extension APIError {
    fileprivate static var notGiven: APIError {
        .value(
            "response_format",
            "the provider did not return the data for this format; use json or text",
            code: "unsupported_value"
        )
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
    fileprivate func plainJSON(_ purpose: TranscriptionCall.Purpose) -> ByteBuffer {
        var body = ByteBuffer()
        body.append(#"{"text":"#)
        body.append(json: text)
        if let usage, purpose == .transcription {
            body.append(#","usage":{"type":"tokens","input_tokens":"#)
            body.append(decimal: usage.promptTokens)
            body.append(#","output_tokens":"#)
            body.append(decimal: usage.completionTokens)
            body.append(#","total_tokens":"#)
            body.append(decimal: usage.totalTokens)
            body.append("}")
        }
        body.append("}")
        return body
    }

    /// Returns the transcript as `verbose_json`; nil if the language or the duration is missing.
    fileprivate func verboseJSON(_ purpose: TranscriptionCall.Purpose) -> ByteBuffer? {
        guard let language, let durationSeconds, durationSeconds.isFinite else { return nil }
        var body = ByteBuffer()
        body.append(
            purpose == .translation ? #"{"task":"translate","language":"# : #"{"task":"transcribe","language":"#
        )
        body.append(json: language)
        body.append(#","duration":"#)
        body.append("\(durationSeconds)")
        body.append(#","text":"#)
        body.append(json: text)
        if let segments {
            body.append(#","segments":["#)
            for (index, segment) in segments.enumerated() {
                if index > 0 { body.append(",") }
                segment.append(to: &body)
            }
            body.append("]")
        }
        if purpose == .transcription {
            body.append(#","usage":{"type":"duration","seconds":"#)
            body.append("\(durationSeconds)")
            body.append("}")
        }
        body.append("}")
        return body
    }
}

extension Transcript.Segment {
    fileprivate func append(to body: inout ByteBuffer) {
        body.append(#"{"id":"#)
        body.append(decimal: id)
        body.append(#","seek":"#)
        body.append(decimal: seek)
        body.append(#","text":"#)
        body.append(json: text)
        body.append(#","tokens":["#)
        for (index, token) in tokens.enumerated() {
            if index > 0 { body.append(",") }
            body.append(decimal: token)
        }
        body.append("]")
        let numbers: [(StaticString, Double)] = [
            (#","start":"#, start), (#","end":"#, end), (#","temperature":"#, temperature),
            (#","avg_logprob":"#, averageLogProbability), (#","compression_ratio":"#, compressionRatio),
            (#","no_speech_prob":"#, noSpeechProbability),
        ]
        for (name, number) in numbers {
            body.append(name)
            body.append("\(number)")
        }
        body.append("}")
    }
}
