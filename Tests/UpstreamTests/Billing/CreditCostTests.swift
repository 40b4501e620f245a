import Engine
import Limits
import Support
import Testing

@testable import Shared
@testable import Upstream

/// Tests of what a call costs at a price for credits, of which 100 are reserved for it.
@Suite struct CreditCostTests {
    private static let perCredit = Price(nil).adding(ToolFees(), credit: Cost(picodollars: 1_000_000))
    private static let perTokenToo = Price("1")?.adding(ToolFees(), credit: Cost(picodollars: 1_000_000))

    /// The bill of a call: its credits and nanodollars in limits, and its recorded cost in nanodollars.
    private struct Figures: Equatable {
        var credits: Int
        var usd: Int
        var cost: Int?

        /// The figures of a call of this many credits, each of which costs a thousand nanodollars.
        static func ofCredits(_ credits: Int) -> Figures {
            Figures(credits: credits, usd: credits * 1_000, cost: credits * 1_000)
        }
    }

    /// Sends a call, ends it with `ending`, and returns its bill.
    private func bill(
        at price: Price? = perCredit,
        listed: CreditPrices = CreditPrices(),
        _ ending: @escaping @Sendable (Attempt) -> Void
    ) async -> Figures {
        await onLoop { loop in
            let transport = ContractTransport()
            transport.begin([.whole("{}")])
            let limiter = Limiter(store: nil)
            let terms = UsageReservation(
                reserving: Amounts(usd: 100_000, credits: 100),
                model: "m",
                creditsPerCall: 100,
                averages: limiter.averages
            )
            let admission = Admission(terms, holding: limiter.admitUncovered())
            let billing = admission.billing
            let server = Billing.Server("p", model: "m", price: price, credits: listed)
            let attempt = Attempt(.none, of: server, billing: billing, on: loop)
            do {
                let endpoint = try #require(Endpoint("http://vendor/v1", EndpointOptions()))
                let request = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders([]), body: nil)
                _ = try await attempt.send(request, on: transport)
            } catch {
                Issue.record(error)
            }
            ending(attempt)
            end(admission)
            let used = billing.usedSoFar
            return Figures(credits: used.credits, usd: used.usd, cost: billing.cost?.nanodollars)
        }
    }

    private func end(_ admission: consuming Admission) {}

    @Test("a call of which nothing states the credits costs what limits of credits count")
    func untold() async {
        let errors = [
            UpstreamError(.cancelled, cause: "cancelled"), UpstreamError(TransportError(.idleTimeout)),
            UpstreamError(TransportError(.broken)),
        ]
        for error in errors {
            #expect(await bill { $0.end(with: error) } == .ofCredits(100), "\(error.cause)")
            let prompt = Usage(estimating: 7, completionTokens: 0)
            #expect(await bill { $0.end(with: error, after: prompt) } == .ofCredits(100), "\(error.cause)")
        }
        #expect(await bill { _ in } == .ofCredits(100), "dropped")
        #expect(await bill { $0.end(.made(credits: nil)) } == .ofCredits(100))
        #expect(await bill { $0.end(.made(images: 2, credits: nil)) } == .ofCredits(100))
        #expect(await bill { $0.end(Bill.Outcome(.responded, .nothing)) } == .ofCredits(100))
    }

    @Test("credits that the vendor or its price list states, and prices of tokens, come first")
    func told() async {
        #expect(await bill { $0.end(.made(credits: 12)) } == .ofCredits(12))
        #expect(await bill { $0.end(.made(credits: 0)) } == .ofCredits(0))
        let listed = CreditPrices(imageNanocredits: 30 * ChatCredits.nanocreditsPerCredit)
        #expect(await bill(listed: listed) { $0.end(.made(images: 2, credits: nil)) } == .ofCredits(60))
        let usage = Usage(promptTokens: 2, completionTokens: 3)
        let byTokens = await bill(at: Self.perTokenToo) { $0.end(Bill.Outcome(.responded, usage)) }
        #expect(byTokens == Figures(credits: 100, usd: 5_000_000, cost: 5_000_000))
    }

    @Test("a call that failed costs the credits that the vendor reported for it, also if it is repeated")
    func failed() async {
        let failure = UpstreamError(.failed, cause: "the vendor's record has no result")
        let errors = [failure, UpstreamError(.cancelled, cause: "left"), UpstreamError(TransportError(.unreachable))]
        for error in errors {
            let charged = error.reporting(credits: 12)
            #expect(await bill { $0.end(with: charged) } == .ofCredits(12), "\(error.cause)")
            #expect(await bill { $0.endUnbilled(charged, isRepeated: true) } == .ofCredits(12), "\(error.cause)")
            let free = error.reporting(credits: 0)
            #expect(await bill { $0.end(with: free) } == .ofCredits(0), "\(error.cause)")
        }
    }

    @Test("a call in which another model helped costs its credits, or the usual ones of that model")
    func helped() async {
        #expect(await bill { $0.endHelp(of: "other", credits: 12) } == .ofCredits(12))
        #expect(await bill { $0.endHelp(of: "other", credits: nil) } == .ofCredits(100))
    }

    @Test("a call that the vendor refused costs nothing")
    func refused() async {
        let refusal = UpstreamError(.badRequest, cause: "no")
        #expect(await bill { $0.end(with: refusal) } == .ofCredits(0))
    }
}
