import Engine

/// The `reasoning_details` of a response: the list that OpenRouter wants back, with the pieces of its texts joined.
struct ReasoningDetails {
    private typealias Member = (name: [UInt8], value: [UInt8])

    /// The members of each element, as JSON.
    private var details: [[Member]] = []
    private var bytes = 0

    /// The longest list that is kept, in bytes.
    private static let limitBytes = 65_536

    /// Adds the list of a chunk, or of a whole response.
    mutating func add(_ list: RawJSON) {
        bytes += list.bytes.count
        guard bytes <= Self.limitBytes else { return }
        for detail in list.elements {
            let members = detail.members.map { Member(Array($0.name), Array($0.value.bytes)) }
            guard let joined = Self.joined(detail), let last = details.last, Self.goesOn(last, members) else {
                details.append(members)
                continue
            }
            for member in members { Self.add(member, to: &details[details.count - 1], joined: joined) }
        }
    }

    /// Returns the member whose pieces are joined; nil for an element that arrives as a whole.
    private static func joined(_ detail: RawJSON) -> String? {
        switch detail["type"]?.content?.text {
        case "reasoning.text": "text"
        case "reasoning.summary": "summary"
        default: nil
        }
    }

    /// Returns whether an element has the type and the index of the one before.
    private static func goesOn(_ last: [Member], _ next: [Member]) -> Bool {
        ["type", "index"].allSatisfy { name in
            let value = { (members: [Member]) in members.first { $0.name.elementsEqual(name.utf8) }?.value }
            return value(last) == value(next)
        }
    }

    private static func add(_ member: Member, to detail: inout [Member], joined: String) {
        guard let index = detail.firstIndex(where: { $0.name == member.name }) else { return detail.append(member) }
        if member.name.elementsEqual(joined.utf8), member.value.first == UInt8(ascii: "\""),
            detail[index].value.first == UInt8(ascii: "\"")
        {
            detail[index].value.removeLast()
            detail[index].value += member.value.dropFirst()
        } else if !member.value.elementsEqual("null".utf8) {
            detail[index].value = member.value
        }
    }

    /// The list as JSON; nil if there is none, or if it is too long to be remembered.
    var body: Body? {
        guard !details.isEmpty, bytes <= Self.limitBytes else { return nil }
        let texts = details.map { members in
            members.map { Array("\"".utf8) + $0.name + Array("\":".utf8) + $0.value }.joined(separator: ",".utf8)
        }
        var out = ByteBuffer("[{")
        Array(texts.joined(separator: "},{".utf8)).withUnsafeBytes { out.append($0) }
        out.append("}]")
        return Body(out)
    }
}
