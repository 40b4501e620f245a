/// The extent to which a request's tools are read.
struct ToolReading: Sendable {
    /// The number of tools that were checked before the request was parsed, and left out then; 0 if none were.
    var checked = 0
    /// Returns whether all providers of a model accept the request unchanged, so that the tools need not be read.
    let isPassedOn: @Sendable (String) -> Bool

    /// All tools are read.
    static let whole = ToolReading { _ in false }
}
