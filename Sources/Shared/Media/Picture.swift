package import Engine

/// A picture that a caller sent, or named by its URL.
package struct Picture: Sendable {
    package let bytes: Body
    package let type: MediaType
    /// Nil: of its kind only the picture itself could say.
    package let size: PictureSize?

    /// - Parameter param: what the request calls it, for errors.
    package init(_ bytes: Body, param: String) throws(APIError) {
        guard let type = MediaType(content: bytes.bytes), type.family == .picture else {
            throw .picture(param, "is not a picture in PNG, JPEG, WebP, GIF or SVG", code: "invalid_image_format")
        }
        size = PictureSize(of: type, bytes.bytes)
        guard size != nil || type == .svg else {
            throw .picture(param, "is a damaged picture", code: "invalid_image_format")
        }
        guard size?.isBearable ?? true else {
            throw .picture(param, "has too many pixels", code: "image_too_large")
        }
        self.bytes = bytes
        self.type = type
    }

    /// What a `data:` URL holds, or what is fetched. `fetcher` nil: nothing is.
    package static func load(
        _ url: String,
        by fetcher: Fetcher?,
        limitBytes: Int = 20 * 1_048_576,
        param: String
    ) async throws(APIError) -> Picture {
        if let data = DataURL(url) {
            guard let bytes = data.bytes else {
                throw .picture(param, "is not valid base64", code: "invalid_base64")
            }
            return try Picture(bytes, param: param)
        }
        guard let fetcher else {
            throw .picture(param, "has to be a data: URL: pictures are not fetched here", code: "invalid_image_url")
        }
        let bytes: Body
        do throws(FetchFailure) {
            bytes = try await fetcher.fetch(url, limitBytes: limitBytes)
        } catch {
            throw APIError(error, param: param)
        }
        return try Picture(bytes, param: param)
    }
}

/// `data:image/png;base64,…` (RFC 2397). What it says of its type is not believed.
private struct DataURL {
    /// Nil: not base64.
    let bytes: Body?

    /// Nil: another kind of URL.
    init?(_ text: String) {
        var text = text
        let bytes: Body?? = text.withUTF8 { text in
            guard text.prefix(5).elementsEqual("data:".utf8) else { return .none }
            guard let comma = text.prefix(256).firstIndex(of: UInt8(ascii: ",")) else { return .some(nil) }
            guard text[..<comma].suffix(7).elementsEqual(";base64".utf8) else { return .some(nil) }
            guard let bytes = Base64.standard.bytes(text[(comma + 1)...]) else { return .some(nil) }
            var buffer = ByteBuffer()
            bytes.withUnsafeBytes { buffer.append($0) }
            return .some(Body(buffer))
        }
        guard let bytes else { return nil }
        self.bytes = bytes
    }
}

extension APIError {
    /// `why` completes a sentence about the picture.
    fileprivate static func picture(_ param: String, _ why: String, code: StaticString) -> APIError {
        APIError(400, "Invalid image: '\(param)' \(why).", code: code, param: param)
    }

    /// Says the same whatever was, or was not, found at the address.
    package init(_ failure: FetchFailure, param: String) {
        switch failure.kind {
        case .badURL: self = .picture(param, "is not a URL that is fetched here", code: "invalid_image_url")
        case .unavailable: self = .picture(param, "could not be downloaded", code: "invalid_image_url")
        case .tooLarge: self = .picture(param, "is too large", code: "image_too_large")
        case .busy:
            self = APIError(503, "Too many pictures are being downloaded. Try again soon.", type: "server_error")
        case .cancelled: self = .clientLeft
        }
        self.cause = failure.cause
    }
}
