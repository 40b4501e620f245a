import Shared

extension ImageCall {
    /// What the last text of the user wants drawn, or varied where the model can.
    init(_ chat: ChatCall, _ model: Model) throws(APIError) {
        let prompt = chat.messages.last { $0.role == .user }?.text ?? ""
        if model.features.contains(.imageVariation), let address = try Self.varied(prompt, chat.messages) {
            self.init(.variation)
            self.model = chat.model
            picture = .address(address)
        } else {
            self.init(.generation)
            self.model = chat.model
            self.prompt = prompt
            try takeFlags()
        }
    }

    private static func varied(_ text: String, _ messages: [ChatMessage]) throws(APIError) -> String? {
        if let named = named(text) { return named }
        return try chosen(text, messages)
    }

    /// `/v1 URL` to `/v4 URL`.
    private static func named(_ text: String) -> String? {
        var isNext = false
        for word in text.split(whereSeparator: \.isWhitespace) {
            if isNext, isAddress(word) { return String(word) }
            isNext = word.count == 3 && word.hasPrefix("/v") && ("1"..."4").contains(word.suffix(1))
        }
        return nil
    }

    /// `[_V1_]` to `[_V4_]`: a picture of the newest answer that has some.
    private static func chosen(_ text: String, _ messages: [ChatMessage]) throws(APIError) -> String? {
        guard let number = (1...4).first(where: { text.contains("[_V\($0)_]") }) else { return nil }
        for message in messages.reversed() where message.role == .assistant {
            let addresses = pictures(in: message.text)
            if addresses.isEmpty { continue }
            guard number <= addresses.count else { break }
            return addresses[number - 1]
        }
        throw .value("messages", "no answer before has an image \(number)")
    }

    /// The addresses in `![...](ADDRESS)`.
    private static func pictures(in text: String) -> [String] {
        var addresses: [String] = []
        var rest = text[...]
        while let start = rest.firstRange(of: "![") {
            rest = rest[start.upperBound...]
            guard let middle = rest.firstRange(of: "](") else { break }
            let address = rest[middle.upperBound...].prefix { $0 != ")" && !$0.isWhitespace }
            if isAddress(address) { addresses.append(String(address)) }
            rest = rest[middle.upperBound...]
        }
        return addresses
    }

    private static func isAddress(_ text: Substring) -> Bool {
        (text.hasPrefix("https://") || text.hasPrefix("http://")) && text.utf8.count <= 8_192
    }
}
