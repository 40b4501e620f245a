import Engine
import Shared
import Upstream

/// An image request in the relay's own form.
final class ImageOperation: MediaOperation, OnLoop, @unchecked Sendable {
    /// An image request that has been read from its body.
    struct Order: Sendable {
        var call: ImageCall
        let fields: ForwardedFields
        /// The features of which a model needs at least one to serve the request.
        let features: Model.Features
        /// The mask in the form in which the caller sent it; nil if the request has none, or only a reference to it.
        var mask: Body?
        /// The request's references to images; nil if there are none.
        var named: ImageReferences?
    }

    let exchange: Exchange
    let caller: Caller
    private let replaced: Replacement?
    private let reader: OrderReader<Order>
    /// The images to which the request refers; nil until they are loaded.
    private var loaded: (image: ImageCall.Image, mask: Body?)?

    /// A function that returns the candidates for a call: those of the named model that can serve it, then others.
    typealias Replacement =
        @Sendable (_ named: Candidates, ImageCall, Caller, Gateway) throws(APIError) -> Candidates

    /// Creates the operation of one image request.
    /// - Parameter replaced: adds candidates of other models; nil if other models cannot serve the request.
    init(
        _ exchange: Exchange,
        _ caller: Caller,
        _ content: RequestContent,
        replaced: Replacement? = nil,
        read: @escaping @Sendable (RequestContent) async throws(APIError) -> Order
    ) {
        self.exchange = exchange
        self.caller = caller
        self.replaced = replaced
        reader = OrderReader { () async throws(APIError) in
            var order = try await read(content)
            if let deployment = content.deployment { order.call.model = deployment }
            return order
        }
    }

    func read() async throws(APIError) -> (model: String?, fields: ForwardedFields, features: Model.Features) {
        let order = try await reader.order()
        // A model that cannot make variations may be replaced.
        let others: Model.Features = replaced == nil ? [] : [.image, .imageEdit, .imageInpaint]
        return (order.call.model, order.fields, order.features.union(others))
    }

    private func provider(_ candidate: Candidate, _ order: Order) throws(APIError) -> any ImageProvider {
        guard let provider = candidate.images, !candidate.model.features.isDisjoint(with: order.features) else {
            throw .modelNotFound(order.call.model)
        }
        return provider
    }

    func candidates(_ named: Candidates) async throws(APIError) -> Candidates {
        guard let replaced else { return named }
        do throws(APIError) {
            return try replaced(named, try await reader.order().call, caller, exchange.gateway)
        } catch {
            // Other candidates may accept a request that cannot be read here.
            guard named.canForward(.imageVariations), error.status < 499 else { throw error }
            return named
        }
    }

    // MARK: An admitted request

    private func loader(_ billing: Billing) -> ImageLoader {
        ImageLoader(caller: caller, gateway: exchange.gateway, billing: billing)
    }

    func holder(_ candidates: Candidates) async throws(APIError) -> (index: Int, Candidate)? {
        // A request that another kind of vendor may get unchanged is read only for a candidate that needs it.
        guard !candidates.canForward(.imageEdits), let named = try await reader.order().named,
            let billing = exchange.billing
        else { return nil }
        let candidate = candidates.firstHealthy
        let (image, holder) = try await loader(billing).image(named.image, isMasked: named.mask != nil, candidate)
        _ = try await keep(image, named, billing)
        guard case .address = image else { return nil }
        return (0..<candidates.count).first { candidates[$0] === candidate }.map { ($0, holder) }
    }

    /// Keeps the loaded image, and loads the mask.
    private func keep(
        _ image: ImageCall.Image,
        _ named: ImageReferences,
        _ billing: Billing
    ) async throws(APIError) -> (image: ImageCall.Image, mask: Body?) {
        let mask: Body? = if let part = named.mask { try await loader(billing).bytes(part) } else { nil }
        loaded = (image, mask)
        return (image, mask)
    }

    /// Returns the image of the request and the mask, loaded if the request only refers to them.
    private func inputs(_ order: Order) async throws(APIError) -> (image: ImageCall.Image?, mask: Body?) {
        if let loaded { return loaded }
        guard let named = order.named, let billing = exchange.billing else { return (order.call.image, order.mask) }
        let bytes = try await loader(billing).bytes(named.image)
        return try await keep(try editable(bytes, named.image.param), named, billing)
    }

    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia {
        let order = try await reader.order()
        let provider = try provider(candidate, order)
        let images = try provider.prepare(order.call, for: candidate.model)
        return PreparedMedia(calls: images.calls) { [self] () async throws(APIError) in
            var (image, mask) = try await inputs(order)
            if let sent = mask {
                let param = order.named?.image.param ?? "image"
                mask = try await converted(sent, image, param: param, by: provider, exchange: exchange)
            }
            return MediaCall(
                images.calls,
                after: { [image, mask] (attempt) async throws(UpstreamError) in
                    try await images.begin(with: image, mask: mask, by: attempt)
                },
                make: { (_, index, attempt) async throws(UpstreamError) in
                    try await images.images(ofCall: index, by: attempt)
                },
                end: { .made(images: $0.files.count, credits: $0.credits, from: order.fields.estimate) },
                response: { [self] (_, made) async throws(UpstreamError) in
                    try await response(with: made.flatMap(\.files), of: images, for: order.call, by: candidate.model)
                }
            )
        }
    }
}

func generation(_ content: RequestContent) async throws(APIError) -> ImageOperation.Order {
    try await content.json { (root) throws(APIError) in
        let call = try ImageCall(generation: root)
        return ImageOperation.Order(call: call, fields: try ForwardedFields(root, .imageGenerations), features: .image)
    }
}
