import Shared

/// Wishes that stand in a prompt: `--ar W:H`, `--size WxH`, `--no TEXT`, `--fast`, `--relax`, also with an em dash in
/// place of the hyphens.
struct PromptFlags {
    private(set) var shape: ImageCall.Shape?
    private(set) var negativePrompt: String?
    private(set) var mode: ImageCall.Mode?

    /// The prompt without them.
    mutating func take(outOf prompt: String) throws(APIError) -> String {
        guard prompt.contains("--") || prompt.contains("\u{2014}") else { return Self.trimmed(prompt[...]) }
        var kept = ""
        var rest = prompt[...]
        while !rest.isEmpty {
            let space = rest.prefix { $0.isWhitespace }
            let word = Self.word(rest)
            rest = rest.dropFirst(space.count + word.count)
            switch Self.flag(word) {
            case "ar": shape = try Self.ratio(Self.takeWord(&rest))
            case "size": shape = try Self.size(Self.takeWord(&rest))
            case "fast": mode = .fast
            case "relax": mode = .relax
            case "no": negativePrompt = try Self.words(&rest)
            default: kept += space + word
            }
        }
        return Self.trimmed(kept[...])
    }

    /// The first word, after any space.
    private static func word(_ text: Substring) -> Substring {
        text.drop { $0.isWhitespace }.prefix { !$0.isWhitespace }
    }

    private static func flag(_ word: Substring) -> Substring? {
        if word.hasPrefix("--") { return word.dropFirst(2) }
        return word.hasPrefix("\u{2014}") ? word.dropFirst(1) : nil
    }

    private static func takeWord(_ rest: inout Substring) -> Substring {
        let word = word(rest)
        rest = rest.drop { $0.isWhitespace }.dropFirst(word.count)
        return word
    }

    private static func ratio(_ text: Substring) throws(APIError) -> ImageCall.Shape {
        guard let (width, height) = ImageCall.sides(text, ":"), width <= 2 * height, height <= 2 * width else {
            throw .value("prompt", "--ar takes a ratio such as 3:2, of 2:1 at most")
        }
        return .ratio(width: width, height: height)
    }

    private static func size(_ text: Substring) throws(APIError) -> ImageCall.Shape {
        guard let (width, height) = ImageCall.sides(text, "x") else {
            throw .value("prompt", "--size takes a size such as 1024x1024")
        }
        return .size(width: width, height: height)
    }

    /// All up to the next flag.
    private static func words(_ rest: inout Substring) throws(APIError) -> String {
        var words: [Substring] = []
        while case let next = word(rest), !next.isEmpty, flag(next) == nil { words.append(takeWord(&rest)) }
        guard !words.isEmpty else { throw .value("prompt", "--no wants to know what to leave out") }
        return words.joined(separator: " ")
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }
}
