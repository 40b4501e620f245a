/// A group of similar image models of 1min.ai, with the request fields that they accept.
struct ImageFamily: Sendable {
    enum Shape: Sendable {
        /// The client cannot choose the image's shape.
        case fixed
        /// The field `size` with one of these sizes. If the field is required, the first size is the default.
        case sizes([String], isRequired: Bool = false)
        /// The field `size`, whose width and height are multiples of 16; `1024x1024` if the client sets none.
        case multiplesOf16
        /// A field with this name, whose value is one of these ratios, such as `16:9`.
        case ratios(StaticString, [String])
        /// The fields `aspect_width` and `aspect_height`, which are numbers from 1 to 7.
        case sides
    }

    enum Count: Sendable {
        /// Each call generates one image.
        case one
        case field(StaticString, most: Int, isRequired: Bool = false)
        /// Each call generates exactly this number of images, which the field `n` must contain.
        case always(Int)
    }

    enum Styles: Sendable {
        case none
        case some([String])
        /// Any style is accepted, because the relay does not know all names of styles.
        case any
    }

    var shape = Shape.fixed
    var count = Count.one
    var qualities: [String] = []
    /// The quality that is sent if the client sets none; nil to leave the field out.
    var usualQuality: String?
    var styles = Styles.none
    var backgrounds: [String] = []
    var formatField: StaticString = "output_format"
    /// The image formats that the models can generate. JPEG is named `jpeg` or `jpg`.
    var formats: [String] = []
    var hasCompression = false
    /// The request field for things that the image must not show; nil if the models have no such field.
    var negativeField: StaticString?
    /// Whether the models accept the field `mode`, whose values are `fast` and `relax`.
    var hasMode = false
    /// The largest length of a prompt, in Unicode scalars.
    var promptLimit = 32_000

    private static let openAISizes = ["1024x1024", "1024x1536", "1536x1024"]
    private static let openAIQualities = ["low", "medium", "high"]
    private static let squares = ["1024x1024", "512x512", "256x256"]
    private static let fluxRatios = ["1:1", "16:9", "9:16", "3:2", "2:3", "4:5", "5:4"]

    static func generation(of id: String) -> ImageFamily {
        switch id {
        case "gpt-image-1":
            var family = ImageFamily(shape: .sizes(openAISizes), count: .field("n", most: 10))
            family.setOpenAI(backgrounds: ["opaque", "transparent"])
            family.styles = .some(["vivid", "natural"])
            return family
        case "gpt-image-1-mini":
            var family = ImageFamily(shape: .sizes(openAISizes), count: .field("n", most: 10))
            family.setOpenAI(backgrounds: ["opaque", "transparent"])
            return family
        case "gpt-image-2": return secondOpenAI
        case "dall-e-3":
            return ImageFamily(
                shape: .sizes(["1024x1024", "1024x1792", "1792x1024"]),
                qualities: ["standard", "hd"],
                styles: .some(["vivid", "natural"])
            )
        case "dall-e-2": return ImageFamily(shape: .sizes(squares), count: .field("n", most: 10))
        case "black-forest-labs/flux-1.1-pro": return ImageFamily(shape: .ratios("aspect_ratio", fluxRatios))
        case "black-forest-labs/flux-2-pro":
            return ImageFamily(shape: .ratios("aspect_ratio", fluxRatios), formats: ["png", "jpg"])
        case _ where id.hasPrefix("black-forest-labs/flux-"):
            return ImageFamily(shape: .ratios("aspect_ratio", fluxRatios), formats: ["webp", "jpg", "png"])
        case "recraft":
            return ImageFamily(
                shape: .sizes(["1024x1024"]),
                count: .field("n", most: 4),
                styles: .any,
                negativeField: "negative_prompt"
            )
        case _ where leonardo.contains(id):
            return ImageFamily(
                shape: .sizes(["1024x1024", "1024x768", "768x1024"], isRequired: true),
                count: .field("n", most: 4, isRequired: true),
                negativeField: "negativePrompt"
            )
        case _ where isMagic(id):
            return ImageFamily(shape: .sides, count: .always(4), negativeField: "negativePrompt", hasMode: true)
        case "stable-image":
            let ratios = ["1:1", "16:9", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]
            return ImageFamily(
                shape: .ratios("stable_image_core_aspect_ratio", ratios),
                formatField: "stable_image_core_output_format",
                formats: ["png", "jpeg", "webp"],
                negativeField: "negativePrompt"
            )
        case "stable-diffusion-xl-1024-v1-0":
            let sizes = [
                "1024x1024", "1152x896", "896x1152", "1216x832", "832x1216", "1344x768", "768x1344", "1536x640",
                "640x1536",
            ]
            return ImageFamily(shape: .sizes(sizes), count: .field("samples", most: 10))
        default: return ImageFamily()
        }
    }

    /// Returns the fields that a model accepts for editing and inpainting.
    static func edit(of id: String) -> ImageFamily {
        switch id {
        case "gpt-image-1", "gpt-image-1-mini":
            var family = ImageFamily(
                shape: .sizes(openAISizes, isRequired: true),
                count: .field("n", most: 10, isRequired: true),
                promptLimit: 4_000
            )
            family.setOpenAI(backgrounds: ["auto", "opaque", "transparent"])
            return family
        case "gpt-image-2": return secondOpenAI
        default: return ImageFamily()
        }
    }

    static func variation(of id: String) -> ImageFamily {
        switch id {
        case "dall-e-2": ImageFamily(shape: .sizes(squares), count: .field("n", most: 10))
        case _ where isMagic(id): ImageFamily(shape: .sides, count: .always(4), hasMode: true)
        default: ImageFamily()
        }
    }

    private static var secondOpenAI: ImageFamily {
        var family = ImageFamily(shape: .multiplesOf16, count: .field("n", most: 10), promptLimit: 4_000)
        family.setOpenAI(backgrounds: ["auto", "opaque", "transparent"])
        return family
    }

    private mutating func setOpenAI(backgrounds: [String]) {
        qualities = Self.openAIQualities
        // The vendor refuses calls without a quality.
        usualQuality = "medium"
        self.backgrounds = backgrounds
        formats = ["png", "jpeg", "webp"]
        hasCompression = true
    }

    private static func isMagic(_ id: String) -> Bool { id.hasPrefix("magic-art") || id.hasPrefix("midjourney") }

    private static let leonardo: Set<String> = [
        "e71a1c2f-4f80-4800-934f-2c68979d8cc8", "b24e16ff-06e3-43eb-8d33-4416c2d75876",
        "aa77f04e-3eec-4034-9c07-d0f619684628", "6b645e3a-d64f-4341-a6d8-7a3690fbf042",
        "5c232a9e-9061-4777-980a-ddc8e65647c6", "2067ae52-33fd-4a82-bb92-c2c55e7d2786",
        "1e60896f-3c26-4296-8ecc-53e2afecc132",
    ]
}
