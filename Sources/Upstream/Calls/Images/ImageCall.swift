package import Engine
package import Shared

/// A checked request for images, in a form that does not depend on the vendor.
package struct ImageCall: Sendable {
    package enum Purpose: Sendable { case generation, edit, variation }

    package enum Shape: Sendable {
        /// The width and height of the image in pixels.
        case size(width: Int, height: Int)
        case ratio(width: Int, height: Int)
    }

    package enum Image: Sendable {
        /// The URL from which the vendor can fetch the image.
        case address(String)
        case data(Body, MediaType)
    }

    package enum Mode: Sendable { case fast, relax }

    package var purpose: Purpose
    package var model = ""
    /// The prompt. It is empty if the request asks for variations of an image.
    package var prompt = ""
    /// The number of images to make; nil means as many as one vendor call makes.
    package var count: Int?
    /// The image to edit or to vary; nil if the request is for a new image.
    package var image: Image?
    /// Whether a mask limits the edit to a part of the image.
    package var isMasked = false
    /// The size or aspect ratio of the images; nil if the model chooses it.
    package var shape: Shape?
    package var quality: String?
    package var style: String?
    package var background: String?
    package var outputFormat: String?
    /// The compression level of the output, from 0 to 100; nil if the model chooses it.
    package var outputCompression: Int?
    var negativePrompt: String?
    package var mode: Mode?
    /// Whether the client wants image data rather than URLs; nil if the model's default applies.
    package var wantsData: Bool?

    package init(_ purpose: Purpose) { self.purpose = purpose }

    /// The largest prompt that any model can accept, in bytes: 32,000 characters of four bytes.
    private static let promptLimitBytes = 128_000

    /// Throws if a prompt of this many bytes is too long for every model.
    package static func checkLength(ofPrompt bytes: Int) throws(APIError) {
        guard bytes <= promptLimitBytes else { throw .value("prompt", "is too long") }
    }

    static let longestSide = 16_384

    /// Parses two integers from 1 to `longestSide`, such as in `1024x768`; nil if the text has another form.
    /// - Parameter mark: the character between the two integers.
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

/// A vendor that makes images. It is used on one event loop only.
package protocol ImageProvider: AnyObject, Sendable {
    /// Returns the number of images that one vendor call makes if the request gives no number.
    func imagesPerCall(of model: Model) -> Int
    /// Converts a call for images into the vendor's form. Throws if the model does not support an option.
    func prepare(_ call: ImageCall, for model: Model) throws(APIError) -> any PreparedImages
    /// Returns the memory that the conversion of a mask needs besides the mask itself, in bytes.
    func workBytes(ofMask mask: UnsafeRawBufferPointer) -> Int
    /// Converts a mask into the vendor's form.
    /// - Parameter mask: a PNG that is transparent where the image is to be edited.
    func converted(
        _ mask: Body,
        for size: ImageSize,
        by worker: WorkQueue,
        on loop: EventLoop
    ) async throws(MaskError) -> Body
}

/// A call for images in the form of one vendor, ready to be sent.
package protocol PreparedImages: AnyObject, Sendable {
    /// The call as the vendor understands it: options in the prompt, such as `--ar 16:9`, are now fields of the call.
    var call: ImageCall { get }
    /// The number of vendor calls that make all the images.
    var calls: Int { get }
    /// Whether the client gets image data rather than URLs if the request does not choose.
    var returnsDataByDefault: Bool { get }
    /// Whether the vendor returns URLs of the images.
    var offersURLs: Bool { get }
    /// Uploads the input images. Must be called before the calls of each attempt.
    /// - Parameter mask: the mask of an edit, as `converted` returned it; nil without a mask.
    func begin(with image: ImageCall.Image?, mask: Body?, by call: Attempt) async throws(UpstreamError)
    /// Makes the images of one vendor call.
    /// - Parameter index: the index of this vendor call, from 0 to `calls` - 1.
    func images(ofCall index: Int, by call: Attempt) async throws(UpstreamError) -> CallImages
    /// Downloads an image that the vendor made.
    func load(_ file: GeneratedImage) async throws(UpstreamError) -> Body
}

/// The images that one vendor call made.
package struct CallImages: Sendable {
    package let files: [GeneratedImage]
    /// The credits that the vendor charged; nil if it did not report them.
    package let credits: Int?
}

/// An image that a vendor made. The vendor stores it for a limited time.
package struct GeneratedImage: Sendable {
    /// The image's URL, which the relay can return to clients.
    package let address: String
    /// The URLs from which the relay can download the image, the most likely one first.
    package let sources: [String]
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

/// The reason why an image mask cannot be used.
package enum MaskError: Error {
    /// The mask is not a PNG, or the PNG is damaged.
    case broken
    case tooLarge
    /// The mask has no transparent pixels or no alpha channel.
    case noAlpha
    /// The mask does not have the width and height of the image.
    case otherSize
    /// The relay's worker thread is too busy to convert the mask.
    case busy
}
