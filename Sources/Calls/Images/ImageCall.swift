package import Engine
package import Shared

/// A request for images, checked, free of any vendor.
package struct ImageCall: Sendable {
    package enum Purpose: Sendable { case generation, edit, variation }

    package enum Shape: Sendable {
        /// Pixels.
        case size(width: Int, height: Int)
        case ratio(width: Int, height: Int)
    }

    package enum Picture: Sendable {
        /// The place where the vendor may read it.
        case address(String)
        case data(Body, MediaType)
    }

    package enum Mode: Sendable { case fast, relax }

    package var purpose: Purpose
    package var model = ""
    /// Empty: of a variation.
    package var prompt = ""
    /// Nil: as many as one call of the vendor's makes.
    package var count: Int?
    /// The picture that is edited or varied.
    package var picture: Picture?
    /// PNG, as large as the picture: white where it is to be edited, black elsewhere.
    package var mask: Body?
    /// Nil, as in all that follow: left to the model.
    package var shape: Shape?
    package var quality: String?
    package var style: String?
    package var background: String?
    package var outputFormat: String?
    /// 0 to 100.
    package var outputCompression: Int?
    package var negativePrompt: String?
    package var mode: Mode?
    /// The images themselves are wanted, not addresses; nil: what is usual for the model.
    package var wantsData: Bool?

    package init(_ purpose: Purpose) { self.purpose = purpose }

    /// As long as the longest prompt that a model takes, of 32,000 characters, can be.
    private static let promptLimitBytes = 128_000

    /// Before anything reads the prompt.
    package static func checkLength(ofPrompt bytes: Int) throws(APIError) {
        guard bytes <= promptLimitBytes else { throw .value("prompt", "is too long") }
    }

    package static let longestSide = 16_384

    /// Two whole numbers from 1 to `longestSide` with `mark` between.
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
    /// As many as one call makes by itself.
    func imagesPerCall(of model: Model) -> Int
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(_ call: ImageCall, for model: Model) throws(APIError) -> any PreparedImages
    /// The memory that converting a mask takes besides its bytes.
    func workBytes(ofMask mask: UnsafeRawBufferPointer) -> Int
    /// A mask in the vendor's kind. `mask` is OpenAI's, transparent where the picture is to be changed; `size` is the
    /// picture's.
    func converted(
        _ mask: Body,
        for size: PictureSize,
        by worker: WorkQueue,
        on loop: EventLoop
    ) async throws(MaskFlaw) -> Body
}

/// A call for images in its vendor's form.
package protocol PreparedImages: AnyObject, Sendable {
    /// The call as the vendor understood it, with what its prompt says of shape and mode.
    var call: ImageCall { get }
    /// As many calls of the vendor's as it takes; each counts there.
    var calls: Int { get }
    /// True if a client that did not say expects the images themselves.
    var areDataByDefault: Bool { get }
    /// True if addresses may be had at all.
    var offersAddresses: Bool { get }
    /// Brings what is edited or varied to the vendor; once, before any image is made.
    func begin(by call: VendorCall) async throws(UpstreamError)
    /// Of all calls together, as many as were wanted.
    func images(ofCall index: Int, by call: VendorCall) async throws(UpstreamError) -> MadeImages
    /// The bytes of an image.
    func load(_ file: ResultFile) async throws(UpstreamError) -> Body
}

/// Of one call.
package struct MadeImages: Sendable {
    package let files: [ResultFile]
    /// That the vendor took for them.
    package let credits: Int?

    package init(files: [ResultFile], credits: Int?) {
        self.files = files
        self.credits = credits
    }
}

/// An image that a vendor made and keeps for a while.
package struct ResultFile: Sendable {
    /// The address that a client may be given.
    package let address: String
    /// The addresses at which it may be had, the likeliest first.
    package let sources: [String]

    package init(address: String, sources: [String]) {
        self.address = address
        self.sources = sources
    }
}

extension String {
    /// It has more than white space.
    package var hasWords: Bool {
        var text = self
        return text.withUTF8 { text in
            var scan = ByteScan(UnsafeRawBufferPointer(text))
            return !scan.word().isEmpty
        }
    }
}
