/// The rule that says which tool definitions of a chat request are parsed.
struct ToolReading: Sendable {
    /// The number of tool definitions that were checked and left out before the request was parsed.
    var checked = 0
    /// A function that returns whether all providers of a model, which is given by name, accept the request unchanged.
    /// The tool definitions of the request then need not be parsed.
    let isPassedOn: @Sendable (String) -> Bool

    /// The rule that all tool definitions are parsed.
    static let whole = ToolReading { _ in false }
}
