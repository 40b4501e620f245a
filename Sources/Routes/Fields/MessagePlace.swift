/// The place in a request's messages, or in another list of such, where something may be wrong; put into words only if it is.
struct MessagePlace {
    let message: Int
    private var part: Int?
    /// Of the content of a part.
    private var inner: Int?

    private let list: StaticString
    /// The member of a message that has its parts.
    private let content: StaticString

    init(message: Int, in list: StaticString = "messages", content: StaticString = "content") {
        self.message = message
        self.list = list
        self.content = content
    }

    /// A part of the message, or of the part.
    func part(_ index: Int) -> MessagePlace {
        var place = self
        if part == nil { place.part = index } else { place.inner = index }
        return place
    }

    func callAsFunction(_ rest: String) -> String {
        let part = part.map { ".\(content)[\($0)]" } ?? ""
        let inner = inner.map { ".content[\($0)]" } ?? ""
        return "\(list)[\(message)]\(part)\(inner)\(rest)"
    }
}

/// The id of a tool's call, by its bytes: the hash of a `String` is that of its normal form.
typealias CallID = [UInt8]
