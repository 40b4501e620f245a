import Engine

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
        var rest = lines[...]
        while let message = rest.first?.spot.message {
            let own = rest.prefix { $0.spot.message == message }
            rest = rest.dropFirst(own.count)
            messages[message].text = messages[message].text.with(own.map { ($0.text, $0.spot.offset) })
        }
    }
}

extension String {
    /// With lines of their own before the bytes at some offsets, in their order, each of which begins a scalar.
    fileprivate func with(_ lines: [(text: String, offset: Int)]) -> String {
        let old = ByteBuffer(self)
        var new = ByteBuffer()
        _ = new.reserve(lines.reduce(old.count) { $0 + $1.text.utf8.count + 2 })
        var place = 0
        for (index, line) in lines.enumerated() where !line.text.isEmpty {
            new.append(old.bytes[part: place..<line.offset])
            place = line.offset
            if let last = new.bytes.last, last != 10 { new.append(10 as UInt8) }
            new.append(line.text)
            let isLast = place == old.count && lines[(index + 1)...].allSatisfy { $0.text.isEmpty }
            if place < old.count ? old.bytes[place] != 10 : !isLast { new.append(10 as UInt8) }
        }
        new.append(old.bytes[part: place..<old.count])
        return new.text
    }
}
