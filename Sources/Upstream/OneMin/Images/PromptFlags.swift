import Engine
import Shared

/// Options that a user writes into an image prompt: `--ar W:H`, `--size WxH`, `--no TEXT`, `--fast` and `--relax`.
struct PromptFlags {
    private(set) var shape: ImageCall.Shape?
    private(set) var negativePrompt: String?
    private(set) var mode: ImageCall.Mode?

    /// Reads the flags of a prompt into this value. Returns the prompt without the flags.
    mutating func extract(from prompt: String) throws(APIError) -> String {
        let text = ByteBuffer(prompt)
        var scan = ByteScan(text.bytes)
        var kept = ByteBuffer()
        while case let before = scan.offset, case let word = scan.word(), !word.isEmpty {
            switch Self.flag(text.bytes[part: word]) {
            case "ar": shape = try Self.ratio(text.bytes[part: scan.word()])
            case "size": shape = try Self.size(text.bytes[part: scan.word()])
            case "fast": mode = .fast
            case "relax": mode = .relax
            case "no": negativePrompt = try Self.words(&scan)
            default: kept.append(text.bytes[part: (kept.isEmpty ? word.lowerBound : before)..<word.upperBound])
            }
        }
        return kept.text
    }

    private static func flag(_ word: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        for mark in ["--", "\u{2014}"] as [StaticString] where word.hasPrefix(mark) {
            return word[part: mark.utf8CodeUnitCount..<word.count]
        }
        return nil
    }

    private static func ratio(_ text: UnsafeRawBufferPointer) throws(APIError) -> ImageCall.Shape {
        guard let (width, height) = ImageCall.sides(text, UInt8(ascii: ":")), width <= 2 * height, height <= 2 * width
        else {
            throw .value("prompt", "--ar must be a ratio from 1:2 to 2:1, such as 3:2")
        }
        return .ratio(width: width, height: height)
    }

    private static func size(_ text: UnsafeRawBufferPointer) throws(APIError) -> ImageCall.Shape {
        guard let (width, height) = ImageCall.sides(text, UInt8(ascii: "x")) else {
            throw .value("prompt", "--size must be a size such as 1024x1024")
        }
        return .size(width: width, height: height)
    }

    /// Reads the words up to the next flag and returns them, separated by single spaces.
    private static func words(_ scan: inout ByteScan) throws(APIError) -> String {
        var words = ByteBuffer()
        while true {
            let before = scan
            let word = scan.bytes[part: scan.word()]
            if word.isEmpty || flag(word) != nil {
                scan = before
                break
            }
            if !words.isEmpty { words.append(UInt8(ascii: " ")) }
            words.append(word)
        }
        guard !words.isEmpty else { throw .value("prompt", "--no must be followed by text") }
        return words.text
    }
}
