import Engine
import Shared

/// Default values for request fields that some models of 1min.ai require although most do not.
enum MissingFields {
    private static let images = [
        "quality": #""medium""#, "size": #""1024x1024""#, "n": "1", "aspect_ratio": #""1:1""#, "background": #""auto""#,
        "output_format": #""png""#,
    ]
    private static let speech = ["response_format": #""mp3""#, "speed": "1"]
    private static let transcription = ["response_format": #""text""#, "language": #""en-US""#, "temperature": "0"]

    private static func values(for feature: OneMinFeature) -> [String: String] {
        switch feature.fields {
        case .images: images
        case .speech: speech
        case .transcription: transcription
        case .chat, .file: [:]
        }
    }

    /// Returns the request body with default values for the fields that the vendor reported as missing; nil if the
    /// relay cannot add all of them.
    /// - Parameter body: `promptObject` must be its last member and must not be empty.
    static func filled(
        _ body: Body,
        for feature: OneMinFeature,
        after error: UpstreamError,
        _ parser: JSONParser
    ) -> Body? {
        guard !error.missingFields.isEmpty, let members = (try? parser.parse(body.bytes))?["promptObject"]?.members
        else {
            return nil
        }
        let values = values(for: feature)
        var filled = ByteBuffer()
        filled.append(body.bytes[part: 0..<max(0, body.bytes.count - 2)])
        var added: Set<Substring> = []
        for field in error.missingFields {
            let name = field.split(separator: ".").last ?? ""
            guard let value = values[String(name)], !members.contains(where: { $0.name.text == name }) else {
                return nil
            }
            guard added.insert(name).inserted else { continue }
            filled.append(#",""#)
            filled.append(String(name))
            filled.append(#"":"#)
            filled.append(value)
        }
        filled.append("}}")
        return Body(filled)
    }
}

extension OneMin {
    /// Makes an upstream call. If the vendor reports missing fields, makes the call again with default values for them.
    func complete<Value: Sendable>(
        _ body: Body,
        _ use: OneMinUse,
        attempt: Attempt,
        _ ask: (UpstreamCall) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let headers = headers(for: attempt.key)
        do throws(UpstreamError) {
            return try await ask(UpstreamCall(endpoint: making, headers: headers, body: body))
        } catch {
            guard let filled = MissingFields.filled(body, for: use.feature, after: error, parser) else { throw error }
            try await attempt.next(afterRefusal: error.status ?? 400)
            return try await ask(UpstreamCall(endpoint: making, headers: headers, body: filled))
        }
    }
}
