import Shared

extension Base64Text {
    /// The media type, detected from the first bytes of the decoded content; nil if it cannot be detected or the text
    /// is not Base64.
    var contentType: MediaType? { beginning(ofBytes: 1_024)?.withUnsafeBytes { MediaType(content: $0) } }
}
