import Engine
import Shared

/// The route of one call to Vertex AI: chooses the location for each try.
final class VertexRoute: WireRoute, OnLoop, @unchecked Sendable {
    private let vertex: Vertex
    private let model: String
    /// The URLs for calls to the model, one for each location.
    private let addresses: [ModelAddress]
    private let attempt: Attempt
    /// The indexes in `addresses` of the locations that can still be tried. The first one is the current location.
    private var left: [Int] = []
    private var isBegun = false
    /// The access token of the provider's Google account; nil if the caller sends a passthrough key.
    private var access: GoogleTokens.Token?
    private var isRenewed = false
    private var isCounted = false
    /// The most informative failure of the locations that were tried; nil if no location has failed.
    private var failure: UpstreamError?
    private(set) var key: String

    init(_ vertex: Vertex, _ model: String, addresses: [ModelAddress], attempt: Attempt) {
        self.vertex = vertex
        self.model = model
        self.addresses = addresses
        self.attempt = attempt
        key = attempt.key
    }

    private var loop: EventLoop { vertex.wire.tools.loop }

    func begin() async throws(UpstreamError) {
        if !isBegun { left = vertex.site.locations.order(for: model, at: loop.now) }
        isBegun = true
        key = attempt.key
        if let tokens = vertex.site.tokens {
            let patience = UInt64(max(0, vertex.site.vendor.options.firstByteMilliseconds)) * 1_000_000
            let token = try await tokens.token(by: vertex.wire.transport, on: loop, patienceNanoseconds: patience)
            access = token
            key = token.text
        }
    }

    var headers: KeyHeaders { isCounted ? vertex.countedHeaders : vertex.wire.headers }

    var token: String? { access?.text }

    func endpoint(isStreamed: Bool) -> Endpoint { addresses[left.first ?? 0][isStreamed: isStreamed] }

    func served() { if let index = left.first, !attempt.isCallersKey { vertex.site.locations.served(index) } }

    func failure(after error: UpstreamError) -> UpstreamError? {
        if error.isOfRelay { return error }
        switch error.kind {
        case .badKey:
            guard !isRenewed, let tokens = vertex.site.tokens, let access else { return error }
            isRenewed = true
            return tokens.drop(access, at: loop.now) ? nil : error
        case .forbidden where !isCounted && error.code == VendorError.billingProjectRequired:
            isCounted = true
            return nil
        case .unknownModel, .rateLimited, .outOfCredit, .failed, .unavailable, .timedOut: return next(after: error)
        case .forbidden, .badRequest, .cancelled: return error
        }
    }

    /// Moves to the next location after a failure and returns nil. Returns the call's failure if no location can help.
    private func next(after error: UpstreamError) -> UpstreamError? {
        guard let index = left.first else { return error }
        // A caller's own account may lack a model that others have.
        if !attempt.isCallersKey { vertex.site.locations.failed(index, model, error: error, at: loop.now) }
        let isLate = [.firstByteTimeout, .idleTimeout, .totalTimeout].contains(error.fault)
        guard error.recovery.contains(.nextCandidate), !error.recovery.contains(.retrySame), !isLate, !error.isCut
        else {
            return error
        }
        // "Unknown model" says less than the failure of a location that has the model.
        if error.kind != .unknownModel || failure == nil { failure = error }
        guard left.count > 1 else { return failure ?? error }
        // The usage already counts for a call that is repeated.
        failure?.usage = nil
        left.removeFirst()
        return nil
    }
}
