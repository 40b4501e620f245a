import Limits
import Shared
import Upstream

/// The limits of a request for media, and the way in which each candidate would serve it.
struct MediaTerms: Sendable {
    /// The reservation of a candidate, which is nil if the limits count only requests, and the request in the form of
    /// its vendor, which is nil to forward the request.
    typealias Way = (usageReservation: UsageReservation?, prepared: PreparedMedia?)

    let limits: ApplicableLimits
    /// The way of each candidate. It is an error if the candidate cannot serve the request.
    private(set) var ways: [Result<Way, APIError>] = []
    private let plan: MediaPlan
    private let caller: Caller
    private let gateway: Gateway
    /// The token count of the request's texts; nil if no limit needs it.
    private var counted: Int?

    /// Prepares a request for all candidates. Throws if none of them can serve it.
    init(_ plan: MediaPlan, _ caller: Caller, _ exchange: Exchange) async throws(APIError) {
        let leading = plan.candidates.leading
        limits = exchange.applicableLimits(
            caller,
            plan.endpoint.group,
            servedBy: leading.name,
            for: plan.fields.endUser
        )
        (self.plan, self.caller, gateway) = (plan, caller, exchange.gateway)
        if plan.request != nil, !limits.isPlain { counted = try await plan.fields.tokens(leading.model, exchange) }
        var refusal: APIError?
        for index in 0..<plan.candidates.count {
            do throws(APIError) {
                ways.append(.success(try await way(plan.candidates[index])))
            } catch {
                guard error.status < 499 else { throw error }
                refusal = refusal ?? error
                ways.append(.failure(error))
            }
        }
        if let refusal, unable.count == ways.count { throw refusal }
    }

    /// The indices of the candidates that cannot serve the request.
    var unable: Set<Int> {
        Set(ways.indices.filter { if case .failure = ways[$0] { true } else { false } })
    }

    /// Keeps only the way of the candidate at this index.
    mutating func keep(_ index: Int) { ways = [ways[index]] }

    /// A reservation that is large enough for every candidate; nil if the limits count only requests.
    var reservation: UsageReservation? {
        let all = ways.compactMap { try? $0.get().usageReservation }
        guard let first = all.first else { return nil }
        return UsageReservation(
            reserving: all.reduce(Amounts()) { $0.most($1.reserved) },
            atLeast: all.reduce(Amounts()) { $0.most($1.minimum) },
            first
        )
    }

    private func way(_ candidate: Candidate) async throws(APIError) -> Way {
        let isForwarded = plan.request != nil && candidate.forwarder(plan.endpoint.forwarded) != nil
        guard !isForwarded, let operation = plan.operation else {
            return (forwardedReservation(candidate), nil)
        }
        let prepared = try await operation.prepared(candidate)
        return (usageReservation(candidate, calls: prepared.calls), prepared)
    }

    /// Returns the reservation for a request in the form of the candidate's vendor.
    private func usageReservation(_ candidate: Candidate, calls: Int) -> UsageReservation? {
        guard plan.endpoint.isOfRecordings else {
            let promptTokens = plan.fields.estimate?.promptTokens ?? 0
            return UsageReservation(
                images: images,
                promptTokens: promptTokens,
                calls: calls,
                candidate,
                limits,
                gateway: gateway
            )
        }
        return UsageReservation(transcriptOf: plan.model, by: candidate, for: caller, limits, gateway)
    }

    private func forwardedReservation(_ candidate: Candidate) -> UsageReservation? {
        guard gateway.limits.countsLate || counted != nil else { return nil }
        let prices = gateway.registry.prices(of: candidate, asked: plan.model, for: caller)
        func amounts(_ usage: Usage, _ costs: [Cost]) -> Amounts {
            Amounts(tokens: usage.totalTokens, images: images, usd: costs.max()?.nanodollars ?? 0)
        }
        let expected = expected(candidate, promptTokens: counted ?? 0)
        var prompt = Usage(promptTokens: expected.promptTokens, completionTokens: 0)
        (prompt.pieces, prompt.pieceUnit) = (expected.pieces, expected.pieceUnit)
        if plan.endpoint.isOfRecordings { prompt.pieces = min(prompt.pieces, RecentUsageAverages.firstSeconds) }
        return UsageReservation(
            reserving: amounts(expected, prices.map { $0.highestCost(expected) }),
            atLeast: amounts(prompt, prices.map { $0.lowestCost(prompt) }),
            model: candidate.model.id,
            creditsPerCall: 0,
            averages: gateway.limiter.averages,
            prompt: UsageReservation.Prompt(outputTokens: expected.completionTokens)
        )
    }

    /// Returns the usage that a candidate is expected to bill for the forwarded request.
    func expected(_ candidate: Candidate) -> Usage {
        expected(candidate, promptTokens: counted ?? plan.fields.estimate?.promptTokens ?? 0)
    }

    private func expected(_ candidate: Candidate, promptTokens: Int) -> Usage {
        let isHeld = !limits.isPlain && plan.endpoint.group != .chat
        let completion = isHeld ? gateway.expectedTokens(of: candidate.model, for: caller) : 0
        var usage = Usage(estimating: promptTokens, completionTokens: completion)
        (usage.pieces, usage.pieceUnit) = (plan.fields.pieces.pieces, plan.fields.pieces.pieceUnit)
        if plan.endpoint.isOfRecordings {
            usage.pieces = gateway.limiter.averages.means(of: candidate.model.id, for: caller.identity).seconds
            usage.pieceUnit = .second
        }
        return usage
    }

    private var images: Int { plan.endpoint.group == .images ? plan.fields.images : 0 }
}

extension Amounts {
    fileprivate func most(_ other: Amounts) -> Amounts {
        Amounts(
            tokens: max(tokens, other.tokens),
            images: max(images, other.images),
            usd: max(usd, other.usd),
            credits: max(credits, other.credits)
        )
    }
}
