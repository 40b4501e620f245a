/// The rule that says which tool definitions of a chat request are parsed.
struct ToolReading: Sendable {
    /// The number of tool definitions that were checked and left out before the request was parsed.
    var checked = 0
    /// A function that returns whether all providers of a model accept the request unchanged. Its tool definitions then
    /// need not be parsed.
    let isPassedOn: @Sendable (String) -> Bool

    /// The rule that all tool definitions are parsed.
    static let whole = ToolReading { _ in false }
}
