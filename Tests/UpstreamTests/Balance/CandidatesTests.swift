import Calls
import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct CandidatesTests {
    private func candidate(_ vendor: ScriptedVendor, _ keys: KeyRing?, _ loop: EventLoop) -> Candidate {
        Candidate(
            name: "m",
            provider: vendor,
            model: anyModel,
            price: nil,
            takesCredits: false,
            keys: keys,
            fixed: nil,
            offeredBy: 0,
            loop: loop
        )
    }

    private struct Outcome: Sendable {
        var asked: [String] = []
        var attempts = 0
        var provider: String?
        var failure: UpstreamError.Kind?
    }

    /// Asks candidates of these failures, one after the other; nil: it answers.
    private func outcome(_ failures: [UpstreamError.Kind?]) async -> Outcome {
        await onLoop { loop in
            let list = failures.indices.map { self.candidate(ScriptedVendor(named: "v\($0)", [[[]]]), nil, loop) }
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            var outcome = Outcome()
            do throws(UpstreamError) {
                try await Candidates(list).first(billing: admission.sheet) {
                    (candidate, _) async throws(UpstreamError) in
                    outcome.asked.append(candidate.provider.name)
                    if let kind = failures[outcome.asked.count - 1] { throw UpstreamError(kind, cause: "scripted") }
                }
            } catch {
                outcome.failure = error.kind
            }
            outcome.attempts = admission.sheet.attempts
            outcome.provider = admission.sheet.provider
            return outcome
        }
    }

    @Test("the next is asked for what another may not have, and the first failure counts")
    func order() async {
        let served = await outcome([.failed, .unavailable, nil])
        #expect(served.asked == ["v0", "v1", "v2"] && served.failure == nil)
        #expect(served.attempts == 3 && served.provider == "v2")
        let none = await outcome([.unknownModel, .failed])
        #expect(none.asked == ["v0", "v1"] && none.failure == .unknownModel)
    }

    @Test(
        "nobody else is asked for what is the caller's, or of the key",
        arguments: [UpstreamError.Kind.badRequest, .cancelled, .timedOut, .badKey, .outOfCredit]
    )
    func ends(_ kind: UpstreamError.Kind) async {
        let outcome = await outcome([kind, nil])
        #expect(outcome.asked == ["v0"] && outcome.failure == kind)
    }

    @Test("a key's turn is taken by a call, not by being looked up")
    func turns() async {
        let keys = await onLoop { loop in
            let ring = KeyRing(["a", "b"], weights: [1, 1])
            let vendor = ScriptedVendor([[[]]])
            var keys: [String] = []
            for _ in 0..<4 {
                _ = self.candidate(vendor, ring, loop)
                let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
                keys.append(self.candidate(vendor, ring, loop).call(billing: admission.sheet).key)
            }
            return keys
        }
        #expect(keys == ["a", "b", "a", "b"])
    }
}
