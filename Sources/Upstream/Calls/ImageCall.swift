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
        /// Where the vendor may read it.
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
    /// What is edited or varied.
    package var picture: Picture?
    /// PNG, as large as the picture: white where it is to be edited, black elsewhere.
    package var mask: Body?
    /// What is nil from here on is left to the model.
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
}

/// A vendor that makes images. Used on one loop.
package protocol ImageProvider: AnyObject, Sendable {
    /// As many as one call makes by itself.
    func imagesPerCall(of model: Model) -> Int
    /// The vendor's form of a call; throws what the client is told of a wish that the model cannot fulfil.
    func prepare(_ call: ImageCall, for model: Model, key: String) throws(APIError) -> any PreparedImages
}

/// A call for images in its vendor's form.
package protocol PreparedImages: AnyObject, Sendable {
    /// As many calls of the vendor's as it takes; each counts there.
    var calls: Int { get }
    /// Whether the images themselves are what a client expects that did not say.
    var areDataByDefault: Bool { get }
    /// Whether addresses may be had at all.
    var offersAddresses: Bool { get }
    /// Brings what is edited or varied to the vendor; once, before any image is made.
    func begin() async throws(UpstreamError)
    /// Of all calls together, as many as were wanted.
    func images(ofCall index: Int) async throws(UpstreamError) -> MadeImages
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

/// What a vendor made and keeps for a while.
package struct ResultFile: Sendable {
    /// What a client may be given.
    package let address: String
    /// Where it may be had, the likeliest first.
    package let sources: [String]

    package init(address: String, sources: [String]) {
        self.address = address
        self.sources = sources
    }
}
