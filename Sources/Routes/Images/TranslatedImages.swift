import Calls
import Engine
import Shared
import Upstream

/// The translation of an image request for vendors that do not accept OpenAI's form of the request.
final class TranslatedImages: TranslatedEndpoint, OnLoop, @unchecked Sendable {
    /// An image request that has been read from its body.
    struct Order: Sendable {
        var call: ImageCall
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
    private let memory: ImageMemory
    private let standIns: AlternativeCandidates?
    private let read: @Sendable () async throws(APIError) -> Order
    private var order: Order?

    /// A function that returns candidates of other models than the requested one.
    typealias AlternativeCandidates = @Sendable (ImageCall, _ named: Candidates) -> [Candidate]

    /// Creates the translation of one image request for vendors that do not accept OpenAI's form of the request.
    ///
    /// - Parameters:
    ///   - standIns: returns usable candidates of other models; nil if there are none.
    ///   - read: reads the request; called again for the next candidate after an error.
    init(
        _ exchange: Exchange,
        _ caller: Caller,
        standIns: AlternativeCandidates? = nil,
        _ read: @escaping @Sendable () async throws(APIError) -> Order
    ) {
        self.exchange = exchange
        self.caller = caller
        self.standIns = standIns
        self.read = read
        memory = exchange.gateway.memory(of: caller)
    }

    private func ordered(_ candidate: Candidate) async throws(APIError) -> Order {
        if order == nil { order = try await read() }
        guard let order, !candidate.model.features.isDisjoint(with: order.features) else {
            throw .modelNotFound(order?.call.model ?? "")
        }
        return order
    }

    func candidates(_ named: Candidates) async throws(APIError) -> Candidates {
        guard let standIns else { return named }
        do throws(APIError) {
            let read = try await read()
            order = read
            return named.then(standIns(read.call, named))
        } catch {
            // Other candidates may accept a request that cannot be read here.
            guard error.status < 499 else { throw error }
            return named
        }
    }

    func calls(_ candidate: Candidate) async throws(APIError) -> Int {
        try prepare(try await ordered(candidate).call, candidate).calls
    }

    /// Loads the images that the request refers to. Returns the request with the data of these images.
    private func loaded(_ order: Order, _ billing: Billing) async throws(APIError) -> Order {
        guard let named = order.named else { return order }
        var order = order
        let loader = ImageLoader(caller: caller, gateway: exchange.gateway, billing: billing)
        order.call.image = try editable(try await loader.bytes(named.image), named.image.param)
        if let mask = named.mask { order.mask = try await loader.bytes(mask) }
        order.named = nil
        order.param = named.image.param
        self.order = order
        return order
    }

    func serve(_ candidate: Candidate, _ attempt: Attempt) async throws(UpstreamError) {
        let images: any PreparedImages
        let call: ImageCall
        do throws(APIError) {
            var order = try await loaded(try await ordered(candidate), attempt.billing)
            if let mask = order.mask, let provider = candidate.images {
                order.call.mask = try await converted(
                    mask,
                    order.call.image,
                    param: order.param,
                    by: provider,
                    exchange: exchange
                )
            }
            call = order.call
            images = try prepare(call, candidate)
        } catch {
            throw UpstreamError(skipping: error)
        }
        try await writeImages(
            images,
            call,
            model: candidate.model,
            memory: memory,
            attempt: attempt,
            exchange: exchange
        )
    }
}
