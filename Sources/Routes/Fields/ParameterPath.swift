import Upstream

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
        var path = self
        if part == nil { path.part = index } else { path.inner = index }
        return path
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

/// The ids of the tool calls that a reader of a conversation has read so far.
struct EarlierCalls {
    private var ids: Set<CallID> = []
    /// Whether several tool calls have the same id, or a result has no tool call.
    private(set) var isAmbiguous = false

    mutating func insert(_ id: CallID) { if !ids.insert(id).inserted { isAmbiguous = true } }

    /// Turns a result without an earlier tool call into a message of the user. The request must then be written anew.
    mutating func settle(_ result: inout ChatMessage) {
        guard let id = result.toolCallID, !contains(CallID(id.utf8)) else { return }
        isAmbiguous = true
        (result.role, result.toolCallID, result.name) = (.user, nil, nil)
    }

    func contains(_ id: CallID) -> Bool { ids.contains(id) }
}
