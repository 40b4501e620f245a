/// The path of a value in a request's messages or input items, for error messages.
struct ParameterPath {
    enum List {
        case messages
        case input
        /// The outputs of input items of the Responses API, as in `input[2].output[0]`.
        case outputs
    }

    let message: Int
    private var part: Int?
    /// The index of a part that is nested in the content part; nil if the path does not lead to such a part.
    private var inner: Int?
    private let list: List

    init(message: Int, in list: List = .messages) {
        self.message = message
        self.list = list
    }

    /// Returns this path, extended by the index of a content part, as in `messages[0].content[1]`.
    ///
    /// If this path already has a content part, the index is that of a part nested in it.
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

/// The id of a tool call as bytes, because equality of `String` ignores differences in Unicode normalization.
typealias CallID = [UInt8]
