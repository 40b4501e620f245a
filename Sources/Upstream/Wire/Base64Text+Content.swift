import Shared

extension Base64Text {
    /// The media type of the decoded content; nil if the media type cannot be detected.
    var contentType: MediaType? { beginning(ofBytes: 1_024)?.withUnsafeBytes { MediaType(content: $0) } }
}
