import Engine
package import Shared

extension OneMin: SpeechProvider {
    package func prepare(
        _ call: SpeechCall,
        for model: Model,
        key: String
    ) throws(APIError) -> any PreparedSpeech {
        var body = ByteBuffer()
        body.append(#"{"type":"TEXT_TO_SPEECH","model":"#)
        body.append(json: model.id)
        body.append(#","promptObject":{"#)
        try SpeechFamily(of: model.id).append(call, to: &body)
        body.append("}}")
        let upstream = UpstreamCall(endpoint: making, headers: headers(for: key), body: Body(body))
        return OneMinSpeech(self, upstream, mayBeSamples: call.format == "pcm")
    }
}

/// A text to be spoken in the vendor's form. The vendor answers with the audio, or with a record that names it.
///
/// `@unchecked`: used on its loop only.
final class OneMinSpeech: PreparedSpeech, @unchecked Sendable {
    private let vendor: OneMin
    private let call: UpstreamCall
    private let mayBeSamples: Bool

    private static let recordLimitBytes = 1_048_576

    init(_ vendor: OneMin, _ call: UpstreamCall, mayBeSamples: Bool) {
        self.vendor = vendor
        self.call = call
        self.mayBeSamples = mayBeSamples
    }

    func open() async throws(UpstreamError) -> any AudioStream {
        let stream: any UpstreamStream
        do throws(TransportError) {
            stream = try await vendor.transport.open(call)
        } catch {
            throw UpstreamError(error)
        }
        guard stream.head.status == 200 || stream.head.status == 201 else { throw await vendor.refusal(stream) }
        guard stream.head.isJSON else { return try await audio(stream) }
        let record = try await vendor.whole(stream, limitBytes: Self.recordLimitBytes)
        let results = try OneMinResults(record.bytes, assetURL: vendor.assetURL, vendor.parser)
        return try await audio(vendor.open(results.files[0]), credits: results.credits)
    }

    func address() async throws(UpstreamError) -> (address: String, credits: Int?) {
        let results = try await vendor.results(of: call)
        return (results.files[0].address, results.credits)
    }

    private func audio(
        _ stream: any UpstreamStream,
        credits: Int? = nil
    ) async throws(UpstreamError) -> any AudioStream {
        let audio = OneMinAudio(stream, credits: credits)
        do throws(UpstreamError) {
            try await audio.begin(mayBeSamples: mayBeSamples)
        } catch {
            audio.stop()
            throw error
        }
        return audio
    }
}

/// `@unchecked`: used on its loop only.
final class OneMinAudio: AudioStream, @unchecked Sendable {
    private(set) var mediaType = ""
    let credits: Int?
    private let stream: any UpstreamStream
    /// Read to learn the type.
    private var beginning = ByteBuffer()
    private var isOver = false

    init(_ stream: any UpstreamStream, credits: Int?) {
        self.stream = stream
        self.credits = credits
    }

    /// Reads enough to know what comes.
    func begin(mayBeSamples: Bool) async throws(UpstreamError) {
        var piece = ByteBuffer()
        while beginning.count < MediaType.neededBytes, try await hasMore() {
            stream.take(into: &piece)
            beginning.append(piece.bytes)
            piece.removeAll()
        }
        guard !beginning.isEmpty else { throw UpstreamError(.failed, cause: "the vendor's audio is empty") }
        let type = MediaType(content: beginning.bytes)
        if let type, type.family == .sound {
            mediaType = type.rawValue
        } else if type == nil, mayBeSamples {
            mediaType = "audio/pcm"
        } else {
            throw UpstreamError(.failed, cause: "the vendor's audio is none")
        }
    }

    func more() async throws(UpstreamError) -> Bool {
        if !beginning.isEmpty { return true }
        return try await hasMore()
    }

    private func hasMore() async throws(UpstreamError) -> Bool {
        if isOver { return false }
        do throws(TransportError) {
            isOver = try await stream.more(patienceNanoseconds: .max / 2) == .end
        } catch {
            throw UpstreamError(error)
        }
        return !isOver
    }

    func take(into buffer: inout ByteBuffer) {
        if beginning.isEmpty { stream.take(into: &buffer) } else { swap(&buffer, &beginning) }
    }

    func stop() { stream.stop(isComplete: isOver) }
}
