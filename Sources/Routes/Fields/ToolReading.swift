/// The rule that says which tool definitions of a chat request are parsed.
struct ToolReading: Sendable {
    /// The number of function tools that are left unparsed, since their JSON is known to be valid; 0 if all are parsed.
    var checked = 0
    /// Whether the vendor may get the request unchanged, so that content which the relay does not understand is no
    /// error yet.
    var toleratesUnknown = false
    /// A function that returns whether all providers of the named model accept the request unchanged.
    let isPassedOn: @Sendable (String) -> Bool

    /// The rule that all tool definitions are parsed.
    static let whole = ToolReading { _ in false }
}
