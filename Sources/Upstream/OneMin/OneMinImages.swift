import Engine
package import Shared

extension OneMin: ImageProvider {
    package func imagesPerCall(of model: Model) -> Int {
        ImageFamily.generation(of: model.id).plan(nil).reduce(0, +)
    }

    package func prepare(
        _ call: ImageCall,
        for model: Model,
        key: String
    ) throws(APIError) -> any PreparedImages {
        let (type, family) = Self.feature(call, model.id)
        var opening = ByteBuffer()
        opening.append(#"{"type":""#)
        opening.append(type)
        opening.append(#"","model":"#)
        opening.append(json: model.id)
        opening.append(#","promptObject":{"#)
        var members = ByteBuffer()
        if call.purpose != .variation { members.append(member: "prompt", call.prompt) }
        try family.append(call, to: &members)
        let body = OneMinImages.Parts(opening: Body(opening), members: Body(members), family: family)
        return OneMinImages(self, key, body, call, isOpenAI: model.id.hasPrefix("gpt-image"))
    }

    private static func feature(_ call: ImageCall, _ id: String) -> (StaticString, ImageFamily) {
        switch call.purpose {
        case .generation: ("IMAGE_GENERATOR", .generation(of: id))
        case .edit: (call.mask == nil ? "IMAGE_EDITOR" : "IMAGE_INPAINTER", .edit(of: id))
        case .variation: ("IMAGE_VARIATOR", .variation(of: id))
        }
    }
}

/// One call for images in the vendor's form.
///
/// `@unchecked`: used on its loop only.
final class OneMinImages: PreparedImages, @unchecked Sendable {
    /// What the bodies of all calls have in common.
    struct Parts: Sendable {
        /// Up to the members of `promptObject`.
        let opening: Body
        /// Those that are the same in all calls, each with a comma before it.
        let members: Body
        let family: ImageFamily
    }

    private let vendor: OneMin
    private let key: String
    private let parts: Parts
    private let plan: [Int]
    private let isOpenAI: Bool
    private let picture: ImageCall.Picture?
    private let mask: Body?
    /// Where the vendor has them.
    private var pictureReference: String?
    private var maskReference: String?

    init(_ vendor: OneMin, _ key: String, _ parts: Parts, _ call: ImageCall, isOpenAI: Bool) {
        self.vendor = vendor
        self.key = key
        self.parts = parts
        self.isOpenAI = isOpenAI
        plan = parts.family.plan(call.count)
        picture = call.picture
        mask = call.mask
    }

    var calls: Int { plan.count }
    var areDataByDefault: Bool { isOpenAI }
    var offersAddresses: Bool { !isOpenAI }

    func begin() async throws(UpstreamError) {
        switch picture {
        case .address(let address): pictureReference = address
        case .data(let bytes, let type): pictureReference = try await upload(bytes, "image", type)
        case nil: break
        }
        if let mask { maskReference = try await upload(mask, "mask", .png) }
    }

    private func upload(_ bytes: Body, _ name: String, _ type: MediaType) async throws(UpstreamError) -> String {
        let filename = type.fileName(name)
        return try await vendor.keep(bytes, filename: filename, mediaType: type.rawValue, key: key).path
    }

    func images(ofCall index: Int) async throws(UpstreamError) -> MadeImages {
        var body = ByteBuffer()
        body.append(parts.opening.bytes)
        let members = parts.members.bytes
        if let pictureReference {
            body.append(#""imageUrl":"#)
            body.append(json: pictureReference)
            if let maskReference { body.append(member: "maskUrl", maskReference) }
            body.append(members)
        } else {
            body.append(members[part: 1..<members.count])
        }
        parts.family.append(count: plan[index], to: &body)
        body.append("}}")
        let call = UpstreamCall(endpoint: vendor.making, headers: vendor.headers(for: key), body: Body(body))
        let results = try await vendor.results(of: call)
        let files = results.files
        guard files.count >= plan[index] else {
            throw UpstreamError(.failed, cause: "the vendor made \(files.count) of \(plan[index]) images")
        }
        return MadeImages(files: Array(files.prefix(plan[index])), credits: results.credits)
    }

    func load(_ file: ResultFile) async throws(UpstreamError) -> Body { try await vendor.loadImage(file) }
}
