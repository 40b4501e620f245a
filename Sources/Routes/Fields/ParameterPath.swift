/// The path of a value in a request's messages or input items, for error messages. The text is made only when it is
/// needed.
struct ParameterPath {
    enum List {
        case messages
        case input
        /// The list of input items, for an item that has its parts in `output` instead of `content`.
        case outputs
    }

    let message: Int
    private var part: Int?
    /// The index of a part that is inside another part; nil if the path ends at the outer part.
    private var inner: Int?
    private let list: List

    init(message: Int, in list: List = .messages) {
        self.message = message
        self.list = list
    }

    /// Returns the path of a part of this message; if this path already has a part, the path of a part inside that
    /// part.
    func part(_ index: Int) -> ParameterPath {
        var position = self
        if part == nil { position.part = index } else { position.inner = index }
        return position
    }

    func callAsFunction(_ rest: String) -> String {
        let name = list == .messages ? "messages" : "input"
        let content = list == .outputs ? "output" : "content"
        let part = part.map { ".\(content)[\($0)]" } ?? ""
        let inner = inner.map { ".content[\($0)]" } ?? ""
        return "\(name)[\(message)]\(part)\(inner)\(rest)"
    }
}

/// The id of a tool call as bytes. A `String` would not do, because its equality ignores differences in Unicode
/// normalization.
typealias CallID = [UInt8]
