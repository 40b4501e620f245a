import Calls
import Engine
import Shared
import Upstream

/// An image request in the relay's own form.
final class ImageOperation: WholeMediaOperation, OnLoop, @unchecked Sendable {
    /// An image request that has been read from its body.
    struct Order: Sendable {
        var call: ImageCall
        let fields: ForwardedFields
        /// The features of which a model needs at least one to serve the request.
        let features: Model.Features
        /// The mask in the form in which the caller sent it; nil if there is no mask.
        var mask: Body?
        /// The request's references to images; nil if there are none or the images have been loaded.
        var named: ImageReferences?
        /// The request field that contains the image, for error messages.
        var param = "image"
    }

    private let exchange: Exchange
    private let caller: Caller
    private let replaced: Replacement?
    private let readOrder: @Sendable () async throws(APIError) -> Order
    private var order: Order?

    /// A function that returns the candidates for a call: those of the named model that can serve it, then others.
    typealias Replacement = @Sendable (ImageCall, _ named: Candidates) throws(APIError) -> Candidates

    /// Creates the operation of one image request.
    ///
    /// - Parameters:
    ///   - replaced: adds candidates of other models; nil if other models cannot serve the request.
    ///   - read: reads the request; called again for the next candidate after an error.
    init(
        _ exchange: Exchange,
        _ caller: Caller,
        replaced: Replacement? = nil,
        _ read: @escaping @Sendable () async throws(APIError) -> Order
    ) {
        self.exchange = exchange
        self.caller = caller
        self.replaced = replaced
        readOrder = read
    }

    func read() async throws(APIError) -> (model: String, fields: ForwardedFields, features: Model.Features) {
        let order = try await ordered()
        // A model that cannot make variations may be replaced.
        let others: Model.Features = replaced == nil ? [] : [.image, .imageEdit, .imageInpaint]
        return (order.call.model, order.fields, order.features.union(others))
    }

    private func ordered() async throws(APIError) -> Order {
        if let order { return order }
        let read = try await readOrder()
        order = read
        return read
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
            return try replaced(try await ordered().call, named)
        } catch {
            // Other candidates may accept a request that cannot be read here.
            guard named.canForward, error.status < 499 else { throw error }
            return named
        }
    }

    func calls(_ candidate: Candidate) async throws(APIError) -> Int {
        let order = try await ordered()
        return try provider(candidate, order).prepare(order.call, for: candidate.model).calls
    }

    // MARK: An admitted request

    private func loader(_ billing: Billing) -> ImageLoader {
        ImageLoader(caller: caller, gateway: exchange.gateway, billing: billing)
    }

    func holder(_ candidates: Candidates) async throws(APIError) -> Candidate? {
        // A request that another kind of vendor may get unchanged is read only for a candidate that needs it.
        guard !candidates.canForward, let named = try await ordered().named, let billing = exchange.billing else {
            return nil
        }
        let candidate = candidates.firstHealthy
        let (image, holder) = try await loader(billing).image(named.image, isMasked: named.mask != nil, candidate)
        try await keep(image, named, billing)
        if case .address = image { return holder }
        return nil
    }

    /// Keeps the loaded image in place of the reference to it, and loads the mask.
    private func keep(
        _ image: ImageCall.Image,
        _ named: ImageReferences,
        _ billing: Billing
    ) async throws(APIError) {
        let mask: Body? = if let part = named.mask { try await loader(billing).bytes(part) } else { nil }
        order?.call.image = image
        order?.mask = mask
        order?.named = nil
        order?.param = named.image.param
    }

    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia {
        if let named = try await ordered().named, let billing = exchange.billing {
            let bytes = try await loader(billing).bytes(named.image)
            try await keep(try editable(bytes, named.image.param), named, billing)
        }
        var order = try await ordered()
        let provider = try provider(candidate, order)
        if let mask = order.mask {
            order.call.mask = try await converted(
                mask,
                order.call.image,
                param: order.param,
                by: provider,
                exchange: exchange
            )
        }
        let (call, images) = (order.call, try provider.prepare(order.call, for: candidate.model))
        let memory = exchange.gateway.memory(of: caller)
        return { [exchange] (attempt) async throws(UpstreamError) in
            let made = try await makeImages(images, attempt)
            return .json(
                try await imageResponse(made, images, call, model: candidate.model, memory: memory, exchange: exchange)
            )
        }
    }
}
