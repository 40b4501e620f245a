import Shared

extension Base64Text {
    /// The media type that the beginning of the decoded content shows; nil if it shows none or the text is not Base64.
    var contentType: MediaType? { beginning(ofBytes: 1_024)?.withUnsafeBytes { MediaType(content: $0) } }
}
