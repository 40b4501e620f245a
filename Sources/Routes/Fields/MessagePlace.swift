/// The place in a request's messages where something may be wrong; put into words only if it is.
struct MessagePlace {
    let message: Int
    private var part: Int?
    /// Of the content of a part.
    private var inner: Int?

    init(message: Int) { self.message = message }

    /// A part of the message, or of the part.
    func part(_ index: Int) -> MessagePlace {
        var place = self
        if part == nil { place.part = index } else { place.inner = index }
        return place
    }

    func callAsFunction(_ rest: String) -> String {
        let part = part.map { ".content[\($0)]" } ?? ""
        let inner = inner.map { ".content[\($0)]" } ?? ""
        return "messages[\(message)]\(part)\(inner)\(rest)"
    }
}

/// The id of a tool's call, by its bytes: the hash of a `String` is that of its normal form.
typealias CallID = [UInt8]
