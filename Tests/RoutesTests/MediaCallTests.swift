import Engine
import Limits
import Shared
import Support
import Testing

@testable import Routes
@testable import Upstream

/// Tests of the phases of a request for media: what is billed, however far it comes.
@Suite struct MediaCallTests {
    /// A phase that fails, besides the connection's failure in it.
    private enum Failing { case load, make, response }

    /// Makes the calls of a request, of which each phase calls the vendor, and returns how the calls in the bill ended.
    private func ends(
        _ calls: Int = 1,
        failing: Failing? = nil,
        as end: @escaping @Sendable (Int) -> Bill.Outcome? = { .made(images: $0, credits: nil) }
    ) async -> [Bill.End] {
        await onLoop { loop in
            let provider = ScriptedProvider("a", on: loop)
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let billing = admission.billing
            let attempt = Attempt(.none, of: Billing.Server("a"), billing: billing, on: loop)
            @Sendable func call(_ attempt: Attempt, fails: Bool) async throws(UpstreamError) {
                guard let endpoint = Endpoint("http://vendor/v1", EndpointOptions()) else { return }
                let request = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders([]), body: nil)
                _ = try await attempt.send(request, on: provider)
                if fails { throw UpstreamError(TransportError(.idleTimeout)) }
            }
            let media = MediaCall(
                calls,
                after: { (attempt) async throws(UpstreamError) in try await call(attempt, fails: failing == .load) },
                make: { (_, index, attempt) async throws(UpstreamError) in
                    try await call(attempt, fails: failing == .make)
                    return index + 1
                },
                end: end,
                response: { (_, made) throws(UpstreamError) in
                    if failing == .response { throw UpstreamError(.failed, cause: "no room for \(made)") }
                    return .json(ByteBuffer("{}"))
                }
            )
            do throws(UpstreamError) {
                _ = try await media.open(attempt)
            } catch {
                _ = attempt.failure(error)
            }
            self.end(admission)
            return billing.allRecords.map(\.outcome.end)
        }
    }

    private func end(_ admission: consuming Admission) {}

    @Test(
        "a forwarded response without tokens has the cost of its pieces alone, but that to text the cost of its input",
        arguments: [
            ("5/40 per million", false, nil, nil), ("5/40 per million", true, nil, 10),
            ("5/40 per million", false, Usage(promptTokens: 0, completionTokens: 0), nil),
            ("5/40 per million", false, Usage(promptTokens: 2, completionTokens: 1), 50),
            ("5/40 per million each 0.04", false, nil, 40_000), ("each 0.04", false, nil, 40_000),
            ("0", false, nil, 0), ("each minute 0.006", false, Usage(pieces: 30, .second), 3_000),
        ] as [(String, Bool, Usage?, Int?)]
    )
    func forwarded(price: String, isOfText: Bool, reported: Usage?, millionths: Int?) {
        var fields = ForwardedFields([], images: 2, prompt: "a cat")
        fields.pieces = Usage(pieces: 2, .image)
        let outcome = fields.outcome(of: reported, images: 1, isOfText: isOfText)
        let server = Billing.Server("a", price: Price(price))
        let call = CallRecord(
            endedAt: .distantPast,
            durationMilliseconds: 1,
            server: server,
            key: nil,
            outcome: outcome
        )
        #expect(call.cost?.nanodollars == millionths.map { $0 * 1_000 } && call.lacksCost == (millionths == nil))
        #expect(call.recordedUsage.promptTokens == reported?.promptTokens ?? 2 || reported?.promptTokens == 0)
    }

    @Test("each call is billed once, whatever becomes of its response", arguments: [1, 3])
    func made(calls: Int) async {
        let made = [Bill.End](repeating: .made, count: calls)
        #expect(await ends(calls) == made)
        #expect(await ends(calls, failing: .response) == made)
    }

    @Test("what a call refers to is free, and the call is billed if it may have been made")
    func failed() async {
        #expect(await ends(failing: .load) == [.free])
        #expect(await ends(failing: .make) == [.broke])
        #expect(await ends(2, failing: .make) == [.broke, .broke])
    }

    @Test("a response that goes on, and of which nobody tells the end, is billed as an abandoned one")
    func forgotten() async { #expect(await ends(as: { _ in nil }) == [.abandoned]) }
}
