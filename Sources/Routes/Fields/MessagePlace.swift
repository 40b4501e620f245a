/// The place in a request's messages or items where something may be wrong; put into words only if it is.
struct MessagePlace {
    enum List {
        case messages
        case input
        /// The same, in an item whose parts are its output.
        case outputs
    }

    let message: Int
    private var part: Int?
    /// Of the content of a part.
    private var inner: Int?
    private let list: List

    init(message: Int, in list: List = .messages) {
        self.message = message
        self.list = list
    }

    /// A part of the message, or of the part.
    func part(_ index: Int) -> MessagePlace {
        var place = self
        if part == nil { place.part = index } else { place.inner = index }
        return place
    }

    func callAsFunction(_ rest: String) -> String {
        let name = list == .messages ? "messages" : "input"
        let content = list == .outputs ? "output" : "content"
        let part = part.map { ".\(content)[\($0)]" } ?? ""
        let inner = inner.map { ".content[\($0)]" } ?? ""
        return "\(name)[\(message)]\(part)\(inner)\(rest)"
    }
}

/// The id of a tool's call, by its bytes: the hash of a `String` is that of its normal form.
typealias CallID = [UInt8]
