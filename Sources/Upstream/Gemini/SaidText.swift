import Engine

/// The size and the hash of the texts in one turn of a model, by which a signature of the turn is found again.
struct SaidText {
    private var bytes = 0
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    var isEmpty: Bool { bytes == 0 }
    var name: String { "\(bytes) \(hash)" }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        bytes += text.count
        // FNV-1a.
        for byte in text { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}

extension ChatMessage {
    var said: SaidText {
        var said = SaidText()
        for case .text(let text) in content { text.withBytes { said.add($0) } }
        return said
    }
}
