package import Engine
package import Shared
import Upstream

extension ImageCall {
    /// The model for generations and edits if the request names no model.
    static let defaultModel = "gpt-image-1"
    static let defaultVariationModel = "dall-e-2"

    /// Creates the call from the JSON body of `POST /v1/images/generations`. Throws if a field is invalid.
    package init(generation root: JSONValue) throws(APIError) {
        try self.init(.generation, RequestFields(root))
    }

    /// Creates the call of an image edit, without the image. Throws if a field is invalid.
    package init(edit fields: some CallFields) throws(APIError) {
        try self.init(.edit, fields)
        _ = try fields.choice("input_fidelity", ["low", "high"])
    }

    /// Creates the call of images after a prompt.
    private init(_ purpose: Purpose, _ fields: some CallFields) throws(APIError) {
        self.init(purpose)
        model = try fields.model() ?? Self.defaultModel
        guard !model.isEmpty else { throw .missing("model") }
        try readPrompt(fields)
        try readChatOptions(fields)
    }

    /// Creates the call of an image variation, without the image. Throws if a field is invalid.
    package init(variation fields: FormFields) throws(APIError) {
        self.init(.variation)
        model = try fields.model() ?? Self.defaultVariationModel
        try readChatOptions(fields)
    }

    private mutating func readPrompt(_ fields: some CallFields) throws(APIError) {
        guard let length = try fields.length("prompt") else { throw .missing("prompt") }
        try Self.checkLength(ofPrompt: length)
        prompt = try fields.string("prompt") ?? ""
        guard prompt.hasWords else { throw .value("prompt", "must not be empty") }
    }

    private mutating func readChatOptions(_ fields: some CallFields) throws(APIError) {
        count = try fields.integer("n", 1...10) ?? 1
        if let size = try fields.string("size", limitBytes: Self.wordLimitBytes) { shape = try Self.shape(size) }
        quality = try fields.choice("quality", ["auto", "standard", "hd", "low", "medium", "high"])
        style = try fields.string("style", limitBytes: Self.wordLimitBytes)
        background = try fields.choice("background", ["auto", "opaque", "transparent"])
        outputFormat = try fields.choice("output_format", ["png", "jpeg", "webp"])
        outputCompression = try fields.integer("output_compression", 0...100)
        wantsData = try fields.choice("response_format", ["url", "b64_json"]).map { $0 == "b64_json" }
        _ = try fields.choice("moderation", ["low", "auto"])
        _ = try fields.length("user")
        if try fields.flag("stream") ?? false { throw .unsupported("stream", "Streaming images is not supported.") }
        if let partial = try fields.integer("partial_images", 0...3), partial > 0 {
            throw .unsupported("partial_images", "Streaming images is not supported.")
        }
    }

    /// The longest value of the fields `size` and `style`, in bytes.
    private static let wordLimitBytes = 200
    /// Returns the shape for a `size` such as `1024x1024`; nil for `auto`. Throws if the size is invalid.
    static func shape(_ size: String) throws(APIError) -> Shape? {
        if size.hasSameBytes(as: "auto") { return nil }
        guard let sides = sides(size.utf8, UInt8(ascii: "x")) else {
            throw .value("size", "must be auto, or a size such as 1024x1024")
        }
        return .size(width: sides.0, height: sides.1)
    }
}
