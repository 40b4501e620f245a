package import Engine
package import Shared

extension ImageCall {
    /// Reads `POST /v1/images/generations`.
    package init(generation root: JSONValue) throws(APIError) {
        self.init(.generation)
        let fields = try RequestFields(root)
        model = try fields.string("model") ?? "gpt-image-1"
        guard !model.isEmpty else { throw .missing("model") }
        guard let prompt = try fields.string("prompt") else { throw .missing("prompt") }
        self.prompt = prompt
        count = try fields.integer("n", 1...10) ?? 1
        if let size = try fields.string("size") { shape = try Self.shape(size) }
        quality = try fields.choice("quality", ["auto", "standard", "hd", "low", "medium", "high"])
        style = try fields.string("style")
        background = try fields.choice("background", ["auto", "opaque", "transparent"])
        outputFormat = try fields.choice("output_format", ["png", "jpeg", "webp"])
        outputCompression = try fields.integer("output_compression", 0...100)
        wantsData = try fields.choice("response_format", ["url", "b64_json"]).map { $0 == "b64_json" }
        _ = try fields.choice("moderation", ["low", "auto"])
        _ = try fields.string("user")
        if try fields.flag("stream") ?? false { throw .unsupported("stream", "Images are not streamed here.") }
        if let partial = try fields.integer("partial_images", 0...3), partial > 0 {
            throw .unsupported("partial_images", "Images are not streamed here.")
        }
        try takeFlags()
    }

    /// Longer than any model's prompt may be, in bytes.
    private static let promptLimitBytes = 128_000

    /// Takes the flags out of the prompt, which must not be empty then.
    mutating func takeFlags() throws(APIError) {
        guard prompt.utf8.count <= Self.promptLimitBytes else { throw .value("prompt", "it is too long") }
        var flags = PromptFlags()
        prompt = try flags.take(outOf: prompt)
        if let shape = flags.shape { self.shape = shape }
        negativePrompt = flags.negativePrompt
        mode = flags.mode
        guard !prompt.isEmpty else { throw .value("prompt", "it must not be empty") }
    }

    /// `auto` is nil.
    static func shape(_ size: String) throws(APIError) -> Shape? {
        if size == "auto" { return nil }
        guard let sides = sides(size, "x") else { throw .value("size", "it must be auto, or a size such as 1024x1024") }
        return .size(width: sides.0, height: sides.1)
    }

    /// Two whole numbers from 1 to 16,384 with `mark` between.
    static func sides(_ text: some StringProtocol, _ mark: Character) -> (Int, Int)? {
        let parts = text.split(separator: mark, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let width = Int(parts[0]), let height = Int(parts[1]),
            (1...16_384).contains(width), (1...16_384).contains(height)
        else { return nil }
        return (width, height)
    }
}

extension RequestFields {
    /// One of a few words.
    func choice(_ name: StaticString, _ words: [String]) throws(APIError) -> String? {
        guard let word = try string(name) else { return nil }
        guard words.contains(word) else {
            throw .value("\(name)", "it must be one of \(words.joined(separator: ", "))")
        }
        return word
    }
}
