package import Engine

/// An image that a caller sent in a request or referred to by URL.
package struct Image: Sendable {
    package let bytes: Body
    package let type: MediaType
    /// The size in pixels; nil for an SVG image, which has no size in pixels.
    package let size: ImageSize?

    package static let limitBytes = 20 * 1_048_576

    /// Creates an image. Throws an error for the client if the image is unsupported, damaged or too large.
    package init(_ bytes: Body, param: String) throws(APIError) {
        guard let type = MediaType(content: bytes.bytes), type.family == .image else {
            throw .image(param, "is not a PNG, JPEG, WebP, GIF or SVG image", code: "invalid_image_format")
        }
        size = ImageSize(of: type, bytes.bytes)
        guard (size != nil || type == .svg) && type.mayBeWhole(bytes.bytes) else {
            throw .image(param, "is a damaged image", code: "invalid_image_format")
        }
        guard size?.isWithinLimit ?? true else { throw .image(param, "has too many pixels", code: "image_too_large") }
        self.bytes = bytes
        self.type = type
    }

    /// Downloads an image. Throws if `fetcher` is nil, since the relay then does not download images.
    package static func fetch(
        _ url: String,
        by fetcher: Fetcher?,
        limitBytes: Int = limitBytes,
        param: String
    ) async throws(APIError) -> Image {
        guard let fetcher else {
            throw .image(param, "must be a data: URL; this relay does not download images", code: "invalid_image_url")
        }
        let bytes: Body
        do throws(FetchFailure) {
            bytes = try await fetcher.fetch(url, limitBytes: limitBytes)
        } catch {
            throw APIError(error, param: param)
        }
        return try Image(bytes, param: param)
    }
}

extension MediaType {
    /// Returns whether the image may be complete: false if a PNG or WebP image is cut off, true for all other types.
    fileprivate func mayBeWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .png: Self.reachesEnd(bytes)
        case .webp: bytes.count >= 8 && Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) + 8 <= bytes.count
        default: true
        }
    }

    /// Returns whether the `IEND` chunk, with which a PNG image ends, is present.
    private static func reachesEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 8
        var steps = 0
        while offset + 12 <= bytes.count, steps < ImageSize.maxSteps {
            steps += 1
            if bytes.has("IEND", at: offset + 4) { return true }
            offset += 12 + Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        return false
    }
}

extension APIError {
    /// Creates an error about an image in a request. `why` is a predicate such as "is too large".
    package static func image(_ param: String, _ why: String, code: String) -> APIError {
        APIError(400, "Invalid image: '\(param)' \(why).", code: code, param: param)
    }

    package static func notBase64(_ param: String) -> APIError {
        .image(param, "is not valid base64", code: "invalid_base64_image")
    }

    /// Creates the error for a failed download. The message does not reveal the content at the URL.
    package init(_ failure: FetchFailure, param: String) {
        switch failure.kind {
        case .badURL:
            let why = "is not a URL that this relay fetches: only https: is, and http: where FETCH_IMAGES=http is set"
            self = .image(param, "\(why). Use https: or a data: URL", code: "invalid_image_url")
        case .unavailable: self = .image(param, "could not be downloaded", code: "invalid_image_url")
        case .tooLarge: self = .image(param, "is too large", code: "image_too_large")
        case .busy:
            self = APIError(503, "Too many images are being downloaded. Try again in a moment.", type: "server_error")
        case .cancelled: self = .clientLeft
        }
        self.cause = failure.cause
    }
}
