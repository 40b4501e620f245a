import Engine
package import Shared

extension ImageCall {
    /// Creates an image call from the user's last text in a chat with an image model.
    package init(_ chat: ChatCall, _ model: Model) throws(APIError) {
        var prompt = chat.lastUserText
        try Self.checkLength(ofPrompt: prompt.utf8.count)
        if model.features.contains(.imageVariation),
            case let source = prompt.withUTF8({ VariationSource(UnsafeRawBufferPointer($0)) }),
            let address = try source.address(in: chat.messages)
        {
            self.init(.variation)
            self.model = chat.model
            image = .address(address)
        } else {
            self.init(.generation)
            self.model = chat.model
            self.prompt = prompt
            guard prompt.hasWords else { throw .value("prompt", "must not be empty") }
        }
    }
}

/// The source of an image variation: the image that the user's text names.
private enum VariationSource {
    /// The image at a URL, from a command such as `/v1 https://example.com/a.png` in the user's text.
    case address(String)
    /// The image with this number, from 1, in the newest response that contains images.
    case number(Int)
    case nothing

    init(_ text: UnsafeRawBufferPointer) {
        if let address = Self.named(text) {
            self = .address(address)
        } else {
            self = Self.chosen(text).map { .number($0) } ?? .nothing
        }
    }

    private static let numbers = UInt8(ascii: "1")...UInt8(ascii: "4")

    private static func named(_ text: UnsafeRawBufferPointer) -> String? {
        var scan = ByteScan(text)
        var isNext = false
        while case let word = text[part: scan.word()], !word.isEmpty {
            if isNext, word.isAddress { return word.text }
            isNext = word.count == 3 && word.hasPrefix("/v") && numbers.contains(word[2])
        }
        return nil
    }

    /// Returns the lowest number in commands such as `[_V1_]`; nil if the text contains no command.
    private static func chosen(_ text: UnsafeRawBufferPointer) -> Int? {
        var scan = ByteScan(text)
        var lowest: UInt8?
        while scan.find("[_V") {
            let rest = text[part: scan.offset..<text.count]
            guard let number = rest.first, numbers.contains(number), rest[part: 1..<rest.count].hasPrefix("_]") else {
                continue
            }
            lowest = min(lowest ?? number, number)
        }
        return lowest.map { Int($0 - numbers.lowerBound) + 1 }
    }

    /// The largest number of bytes of earlier responses, newest first, that are searched for images.
    private static let searchedBytes = 262_144

    /// Returns the URL of the image to vary; nil if the user's text asks for no variation.
    func address(in messages: [ChatMessage]) throws(APIError) -> String? {
        let number: Int
        switch self {
        case .nothing: return nil
        case .address(let address): return address
        case .number(let wanted): number = wanted
        }
        var left = Self.searchedBytes
        for message in messages.reversed() where message.role == .assistant && left > 0 {
            var text = message.text
            let addresses = text.withUTF8 { text in
                let searched = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text).prefix(left))
                left -= searched.count
                return Self.images(in: searched, most: number)
            }
            if addresses.isEmpty { continue }
            guard number <= addresses.count else { break }
            return addresses[number - 1]
        }
        throw .value("messages", "no earlier response has an image \(number)")
    }

    /// Returns the URLs of the first images in Markdown, such as `![Image 1](https://example.com/a.png)`.
    private static func images(in text: UnsafeRawBufferPointer, most: Int) -> [String] {
        var addresses: [String] = []
        var scan = ByteScan(text)
        while addresses.count < most, scan.find("!["), scan.find("](") {
            let address = text[part: scan.upTo(UInt8(ascii: ")"))]
            if address.isAddress { addresses.append(address.text) }
        }
        return addresses
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var isAddress: Bool { (hasPrefix("https://") || hasPrefix("http://")) && count <= 8_192 }
}
