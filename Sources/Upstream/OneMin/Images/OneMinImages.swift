package import Engine
package import Shared

extension OneMin: ImageProvider {
    package func workBytes(ofMask mask: UnsafeRawBufferPointer) -> Int { EditMask.workBytes(mask) }

    package func converted(
        _ mask: Body,
        for size: ImageSize,
        by worker: WorkQueue,
        on loop: EventLoop
    ) async throws(MaskError) -> Body {
        try await EditMask.converted(mask, for: size, by: worker, on: loop)
    }

    package func imagesPerCall(of model: Model) -> Int { ImageFamily.generation(of: model.id).plan(nil).reduce(0, +) }

    package func prepare(_ call: ImageCall, for model: Model) throws(APIError) -> any PreparedImages {
        let call = try Self.understood(call)
        let (feature, family) = Self.feature(call, model.id)
        var opening = ByteBuffer()
        opening.append(#"{"type":""#)
        opening.append(feature.rawValue)
        opening.append(#"","model":"#, json: model.id, #","promptObject":{"#)
        var members = ByteBuffer()
        if call.purpose != .variation { members.append("prompt", call.prompt) }
        try family.append(call, to: &members)
        let body = OneMinImages.Parts(opening: Body(opening), members: Body(members), family: family)
        let use = OneMinUse(model: model.id, feature: feature)
        return OneMinImages(self, use, body, call: call, isOpenAI: model.id.hasPrefix("gpt-image"))
    }

    /// Returns the call with the flags of its prompt, such as `--ar 16:9`, turned into options.
    private static func understood(_ call: ImageCall) throws(APIError) -> ImageCall {
        guard call.purpose != .variation else { return call }
        var call = call
        var flags = PromptFlags()
        call.prompt = try flags.extract(from: call.prompt)
        if let shape = flags.shape { call.shape = shape }
        call.negativePrompt = flags.negativePrompt ?? call.negativePrompt
        call.mode = flags.mode ?? call.mode
        guard !call.prompt.isEmpty else { throw .value("prompt", "must not be empty") }
        return call
    }

    private static func feature(_ call: ImageCall, _ id: String) -> (OneMinFeature, ImageFamily) {
        switch call.purpose {
        case .generation: (.image, .generation(of: id))
        case .edit: (call.isMasked ? .imageInpaint : .imageEdit, .edit(of: id))
        case .variation: (.imageVariation, .variation(of: id))
        }
    }
}

/// An image request to 1min.ai, which may consist of several upstream calls.
final class OneMinImages: PreparedImages, OnLoop, @unchecked Sendable {
    /// The parts of the request body that are equal in all upstream calls.
    struct Parts: Sendable {
        /// The beginning of the body, up to the first member of `promptObject`.
        let opening: Body
        /// The members of `promptObject` that are equal in all upstream calls, each after a comma.
        let members: Body
        let family: ImageFamily
    }

    private let vendor: OneMin
    private let use: OneMinUse
    private let parts: Parts
    private let plan: [Int]
    private let isOpenAI: Bool
    let call: ImageCall
    /// The URL of the input image, or the vendor's path of the uploaded image; nil without an input image.
    private var imageReference: String?
    private var maskReference: String?

    init(_ vendor: OneMin, _ use: OneMinUse, _ parts: Parts, call: ImageCall, isOpenAI: Bool) {
        self.vendor = vendor
        self.use = use
        self.parts = parts
        self.isOpenAI = isOpenAI
        plan = parts.family.plan(call.count)
        self.call = call
    }

    var calls: Int { plan.count }
    var returnsDataByDefault: Bool { isOpenAI }
    var offersURLs: Bool { !isOpenAI }

    func begin(with image: ImageCall.Image?, mask: Body?, by attempt: Attempt) async throws(UpstreamError) {
        switch image {
        case .address(let address): imageReference = address
        case .data(let bytes, let type):
            imageReference = try await upload(bytes, "image", type: type, attempt: attempt)
        case nil: break
        }
        if let mask { maskReference = try await upload(mask, "mask", type: .png, attempt: attempt) }
    }

    private func upload(
        _ bytes: Body,
        _ name: String,
        type: MediaType,
        attempt: Attempt
    ) async throws(UpstreamError) -> String {
        let filename = type.fileName(name)
        return try await vendor.keep(bytes, filename: filename, mediaType: type.rawValue, by: attempt).path
    }

    func images(ofCall index: Int, by attempt: Attempt) async throws(UpstreamError) -> CallImages {
        var body = ByteBuffer()
        body.append(parts.opening.bytes)
        let members = parts.members.bytes
        if let imageReference {
            body.append(#""imageUrl":"#, json: imageReference)
            if let maskReference { body.append("maskUrl", maskReference) }
            body.append(members)
        } else {
            body.append(members[part: 1..<members.count])
        }
        parts.family.append(count: plan[index], to: &body)
        body.append("}}")
        let results = try await vendor.results(of: Body(body), use, attempt)
        return CallImages(files: Array(results.files.prefix(plan[index])), credits: results.credits)
    }

    func load(_ file: GeneratedImage) async throws(UpstreamError) -> Body { try await vendor.loadImage(file) }
}
