import Shared

extension Base64Text {
    /// By its beginning; nil: unknown, or not base64.
    var contentType: MediaType? { beginning(ofBytes: 1_024)?.withUnsafeBytes { MediaType(content: $0) } }
}
