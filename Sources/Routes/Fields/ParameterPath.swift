/// The path of a value in a request's messages or items, for errors. It becomes a string only when it is needed.
struct ParameterPath {
    enum List {
        case messages
        case input
        /// The input items, for an item whose parts are in `output`.
        case outputs
    }

    let message: Int
    private var part: Int?
    /// The index of a part within the content of a part.
    private var inner: Int?
    private let list: List

    init(message: Int, in list: List = .messages) {
        self.message = message
        self.list = list
    }

    /// Returns the path of a part of the message, or of a part of that part.
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

/// The id of a tool call as bytes. The hash and equality of a `String` would ignore differences in Unicode
/// normalization.
typealias CallID = [UInt8]
