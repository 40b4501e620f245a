package import Engine
package import Shared

/// A request for images, checked, in a form that is independent of vendors.
package struct ImageCall: Sendable {
    package enum Purpose: Sendable { case generation, edit, variation }

    package enum Shape: Sendable {
        /// Width and height in pixels.
        case size(width: Int, height: Int)
        case ratio(width: Int, height: Int)
    }

    package enum Image: Sendable {
        /// The URL at which the vendor can fetch the image.
        case address(String)
        case data(Body, MediaType)
    }

    package enum Mode: Sendable { case fast, relax }

    package var purpose: Purpose
    package var model = ""
    /// The prompt; empty for a variation.
    package var prompt = ""
    /// The number of images; nil for as many as one vendor call makes.
    package var count: Int?
    /// The image that is edited or varied.
    package var image: Image?
    /// A PNG of the image's size: white where the image is to be edited, black elsewhere.
    package var mask: Body?
    /// The size or ratio; nil if the model chooses. All options below are nil if the model chooses, too.
    package var shape: Shape?
    package var quality: String?
    package var style: String?
    package var background: String?
    package var outputFormat: String?
    /// The compression of the output, from 0 to 100.
    package var outputCompression: Int?
    package var negativePrompt: String?
    package var mode: Mode?
    /// Whether the client wants image data rather than URLs; nil for the model's default.
    package var wantsData: Bool?

    package init(_ purpose: Purpose) { self.purpose = purpose }

    /// The size that the longest prompt of any model, 32,000 characters, can have, in bytes.
    private static let promptLimitBytes = 128_000

    /// Throws if a prompt of `bytes` bytes is surely too long. Called before anything reads the prompt.
    package static func checkLength(ofPrompt bytes: Int) throws(APIError) {
        guard bytes <= promptLimitBytes else { throw .value("prompt", "is too long") }
    }

    package static let longestSide = 16_384

    /// Parses two integers from 1 to `longestSide` that are separated by `mark`. Returns nil if the text has another
    /// form.
    package static func sides(_ text: some Collection<UInt8>, _ mark: UInt8) -> (Int, Int)? {
        var sides: [Int] = []
        var side: Int?
        StepCount.add(text.count)
        for byte in text {
            switch byte {
            case 48...57:
                side = (side ?? 0) * 10 + Int(byte - 48)
                if side ?? 0 > longestSide { return nil }
            case mark where sides.isEmpty:
                guard let whole = side else { return nil }
                sides.append(whole)
                side = nil
            default: return nil
            }
        }
        guard let first = sides.first, let second = side, first > 0, second > 0 else { return nil }
        return (first, second)
    }
}

/// A vendor that makes images. Used on one loop.
package protocol ImageProvider: AnyObject, Sendable {
    /// Returns the number of images that one vendor call makes by default.
    func imagesPerCall(of model: Model) -> Int
    /// Converts a call into the vendor's form. Throws the client's error if the model does not support an option.
    func prepare(_ call: ImageCall, for model: Model) throws(APIError) -> any PreparedImages
    /// Returns the memory in bytes that converting a mask needs besides the mask itself.
    func workBytes(ofMask mask: UnsafeRawBufferPointer) -> Int
    /// Converts a mask into the vendor's form.
    ///
    /// - Parameters:
    ///   - mask: a mask as OpenAI defines it, transparent where the image is to be edited.
    ///   - size: the size of the image.
    func converted(
        _ mask: Body,
        for size: ImageSize,
        by worker: WorkQueue,
        on loop: EventLoop
    ) async throws(MaskError) -> Body
}

/// A call for images in its vendor's form.
package protocol PreparedImages: AnyObject, Sendable {
    /// The call as the vendor understands it, with the shape and the mode that its prompt specifies.
    var call: ImageCall { get }
    /// The number of vendor calls that are needed. Each counts against the vendor's limits.
    var calls: Int { get }
    /// Whether the client gets image data rather than URLs if it does not choose.
    var returnsDataByDefault: Bool { get }
    /// Whether URLs of images are available.
    var offersURLs: Bool { get }
    /// Uploads the images that are edited or varied. Call it once, before any image is made.
    func begin(by call: VendorCall) async throws(UpstreamError)
    /// Makes the images of one vendor call. All calls together make as many images as the client wants.
    func images(ofCall index: Int, by call: VendorCall) async throws(UpstreamError) -> CallImages
    /// Downloads an image.
    func load(_ file: GeneratedImage) async throws(UpstreamError) -> Body
}

/// The images that one vendor call made.
package struct CallImages: Sendable {
    package let files: [GeneratedImage]
    /// The credits that the vendor charged; nil if it did not report them.
    package let credits: Int?

    package init(files: [GeneratedImage], credits: Int?) {
        self.files = files
        self.credits = credits
    }
}

/// An image that a vendor made and stores for a while.
package struct GeneratedImage: Sendable {
    /// The URL that clients get.
    package let address: String
    /// The URLs where the image may be found, the most likely one first.
    package let sources: [String]

    package init(address: String, sources: [String]) {
        self.address = address
        self.sources = sources
    }
}

extension String {
    /// Whether the string contains anything but white space.
    package var hasWords: Bool {
        var text = self
        return text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            return !scan.word().isEmpty
        }
    }
}
