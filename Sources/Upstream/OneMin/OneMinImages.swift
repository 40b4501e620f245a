import Engine
package import Shared

extension OneMin: ImageProvider {
    package func prepare(
        _ call: ImageCall,
        for model: Model,
        key: String
    ) throws(APIError) -> any PreparedImages {
        let (type, family) = Self.feature(call.purpose, model.id)
        var opening = ByteBuffer()
        opening.append(#"{"type":""#)
        opening.append(type)
        opening.append(#"","model":"#)
        opening.append(json: model.id)
        opening.append(#","promptObject":{"#)
        switch call.picture {
        case .address(let address):
            opening.append(#""imageUrl":"#)
            opening.append(json: address)
            if call.purpose != .variation { opening.append(member: "prompt", call.prompt) }
        case nil:
            opening.append(#""prompt":"#)
            opening.append(json: call.prompt)
        }
        try family.append(call, to: &opening)
        return OneMinImages(self, headers(for: key), family, Body(opening), wanted: call.count, model.id)
    }

    private static func feature(_ purpose: ImageCall.Purpose, _ id: String) -> (StaticString, ImageFamily) {
        switch purpose {
        case .generation: ("IMAGE_GENERATOR", .generation(of: id))
        case .edit: ("IMAGE_EDITOR", .edit(of: id))
        case .variation: ("IMAGE_VARIATOR", .variation(of: id))
        }
    }
}

/// One call for images in the vendor's form.
///
/// `@unchecked`: used on its loop only.
final class OneMinImages: PreparedImages, @unchecked Sendable {
    private let vendor: OneMin
    private let headers: UpstreamHeaders
    private let family: ImageFamily
    /// The body of all calls but for the count.
    private let opening: Body
    private let plan: [Int]
    private let isOpenAI: Bool

    init(
        _ vendor: OneMin,
        _ headers: UpstreamHeaders,
        _ family: ImageFamily,
        _ opening: Body,
        wanted: Int?,
        _ model: String
    ) {
        self.vendor = vendor
        self.headers = headers
        self.family = family
        self.opening = opening
        plan = family.plan(wanted)
        isOpenAI = model.hasPrefix("gpt-image")
    }

    var calls: Int { plan.count }
    var areDataByDefault: Bool { isOpenAI }
    var offersAddresses: Bool { !isOpenAI }

    func images(ofCall index: Int) async throws(UpstreamError) -> [ResultFile] {
        var body = ByteBuffer()
        body.append(opening.bytes)
        family.append(count: plan[index], to: &body)
        body.append("}}")
        let call = UpstreamCall(endpoint: vendor.making, headers: headers, body: Body(body))
        let files = try await vendor.results(of: call)
        guard files.count >= plan[index] else {
            throw UpstreamError(.failed, cause: "the vendor made \(files.count) of \(plan[index]) images")
        }
        return Array(files.prefix(plan[index]))
    }

    func load(_ file: ResultFile) async throws(UpstreamError) -> Body { try await vendor.loadImage(file) }
}
