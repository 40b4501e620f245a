/// What came of a part.
package enum BroughtPart: Sendable {
    /// As the vendor calls it.
    case picture(String)
    /// As the vendor calls it, and what it is called by people.
    case file(String, name: String)
    /// What is said in it.
    case words(String)
}

extension ChatCall {
    /// Puts what came of `parts`, in their order, into the call: names for the vendor, and in the texts a line where each
    /// stood.
    package mutating func attach(_ brought: [BroughtPart]) {
        precondition(brought.count == parts.count)
        attachments = Attachments()
        var lines: [(spot: ChatPart.Spot, text: String)] = []
        for (part, one) in zip(parts, brought) {
            let line: String
            switch one {
            case .picture(let reference):
                attachments.pictures.append(reference)
                line = "[Image \(attachments.pictures.count)]"
            case .file(let reference, let name):
                attachments.files.append(reference)
                line = "[File \(attachments.files.count): \(name)]"
            case .words(let text): line = text
            }
            if let spot = part.spot { lines.append((spot, line)) }
        }
        // From the end, since each moves what is behind it.
        for line in lines.reversed() { messages[line.spot.message].text.insert(line: line.text, at: line.spot.offset) }
    }
}

extension String {
    /// On a line of its own, before the byte at `offset`, which begins a character.
    fileprivate mutating func insert(line: String, at offset: Int) {
        guard !line.isEmpty else { return }
        let place = utf8.index(startIndex, offsetBy: offset)
        let isFirst = offset == 0 || utf8[utf8.index(before: place)] == 10
        let isLast = place == endIndex || utf8[place] == 10
        insert(contentsOf: (isFirst ? "" : "\n") + line + (isLast ? "" : "\n"), at: place)
    }
}
