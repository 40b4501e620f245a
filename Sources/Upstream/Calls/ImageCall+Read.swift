package import Engine
package import Shared

extension ImageCall {
    /// Reads `POST /v1/images/generations`.
    package init(generation root: JSONValue) throws(APIError) {
        self.init(.generation)
        let fields = try RequestFields(root)
        model = try fields.string("model") ?? "gpt-image-1"
        guard !model.isEmpty else { throw .missing("model") }
        try readPrompt(fields)
        try readWishes(fields)
    }

    /// Reads `POST /v1/images/edits`; the picture is set apart.
    package init(edit fields: some CallFields) throws(APIError) {
        self.init(.edit)
        model = try fields.string("model") ?? "gpt-image-1"
        guard !model.isEmpty else { throw .missing("model") }
        try readPrompt(fields)
        try readWishes(fields)
        _ = try fields.choice("input_fidelity", ["low", "high"])
    }

    /// Reads `POST /v1/images/variations`; the picture is set apart.
    package init(variation fields: FormFields) throws(APIError) {
        self.init(.variation)
        model = try fields.string("model") ?? "dall-e-2"
        try readWishes(fields)
    }

    private mutating func readPrompt(_ fields: some CallFields) throws(APIError) {
        guard let prompt = try fields.string("prompt") else { throw .missing("prompt") }
        self.prompt = prompt
        try takeFlags()
    }

    /// What the flags of a prompt say goes before what the fields say.
    private mutating func readWishes(_ fields: some CallFields) throws(APIError) {
        count = try fields.integer("n", 1...10) ?? 1
        if let size = try fields.string("size") {
            let wanted = try Self.shape(size)
            shape = shape ?? wanted
        }
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

    static let longestSide = 16_384

    /// Two whole numbers from 1 to `longestSide` with `mark` between.
    static func sides(_ text: some StringProtocol, _ mark: Character) -> (Int, Int)? {
        let parts = text.split(separator: mark, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let width = Int(parts[0]), let height = Int(parts[1]),
            (1...longestSide).contains(width), (1...longestSide).contains(height)
        else { return nil }
        return (width, height)
    }
}
