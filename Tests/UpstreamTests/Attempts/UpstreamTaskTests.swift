import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// A request whose steps are written in the test.
///
/// `@unchecked`: used on one loop only.
private final class ScriptedTask: UpstreamTask, @unchecked Sendable {
    let loop: EventLoop
    /// The errors of candidates that cannot serve the request, by their names.
    var refusals: [String: APIError] = [:]
    var failures: [String: UpstreamError] = [:]
    /// The candidates whose vendor never responds.
    var silent: Set<String> = []
    /// The steps of the request in their order.
    private(set) var steps: [String] = []
    /// The time that each call spends waiting for the client, in nanoseconds.
    var clientWait: UInt64 = 0
    private var waited: UInt64 = 0
    private var waitStart: LoopTime?
    var otherWaitNanoseconds: UInt64 { waited + (waitStart.map { loop.now.nanoseconds(since: $0) } ?? 0) }

    init(on loop: EventLoop) { self.loop = loop }

    func fit(_ candidate: Candidate, at index: Int) throws(APIError) -> ScriptedFit {
        let name = candidate.provider.name
        if let refusal = refusals[name] {
            steps.append("\(name) unfit")
            throw refusal
        }
        return ScriptedFit(candidate: candidate)
    }

    func open(_ fit: ScriptedFit, _ attempt: Attempt) async throws(UpstreamError) -> String {
        let name = fit.candidate.provider.name
        steps.append(name)
        if clientWait > 0 {
            waitStart = loop.now
            await loop.sleep(nanoseconds: clientWait)
            waited = otherWaitNanoseconds
            waitStart = nil
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        }
        if silent.contains(name) {
            while !Task.isCancelled { await loop.sleep(nanoseconds: 60_000_000_000) }
            throw UpstreamError(.cancelled, cause: "cancelled")
        }
        if let failure = failures[name] { throw failure }
        return name
    }

    func failed(_ fit: ScriptedFit, _ attempt: Attempt, _ error: UpstreamError) {
        steps.append("\(fit.candidate.provider.name) failed")
    }
}

@Suite struct UpstreamTaskTests {
    private struct Served: Sendable {
        var by: String?
        var steps: [String]
        var failure: UpstreamError?
    }

    /// Makes one request to the scene's candidates.
    private func serve(_ scene: Scene, _ script: (ScriptedTask) -> Void) async -> Served {
        let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
        let task = ScriptedTask(on: scene.loop)
        script(task)
        do throws(UpstreamError) {
            let name = try await scene.candidates.serve(task, scene.candidates.attempts(billing: admission.billing))
            return Served(by: name, steps: task.steps)
        } catch {
            return Served(by: nil, steps: task.steps, failure: error)
        }
    }

    private static let unfit = APIError(400, "no tools", type: "invalid_request_error", code: "unsupported")

    @Test("a candidate that cannot serve the request is passed over, and its turn is not lost")
    func unfit() async {
        let served = await onLoop { loop in
            let scene = Scene(["", "", ""], on: loop)
            var served: [Served] = []
            for number in 0..<6 {
                served.append(await serve(scene) { if number.isMultiple(of: 2) { $0.refusals["v1"] = Self.unfit } })
            }
            return served
        }
        // The request that v1 cannot serve has turns of its own, so the next one still goes to v1.
        #expect(served.map(\.by) == ["v0", "v1", "v2", "v0", "v0", "v1"])
        #expect(served[4].steps == ["v1 unfit", "v0"])
    }

    @Test("if no candidate can serve the request, the first reason is its failure")
    func allUnfit() async {
        let other = APIError(400, "no images", type: "invalid_request_error", code: "unsupported")
        let served = await onLoop { loop in
            await serve(Scene(["", ""], on: loop)) { $0.refusals = ["v0": Self.unfit, "v1": other] }
        }
        #expect(served.steps == ["v0 unfit", "v1 unfit"])
        #expect(served.failure?.refusal?.message == "no tools")
    }

    @Test("a client that leaves while a request is fitted ends it")
    func leftWhileFitting() async {
        let served = await onLoop { loop in
            await serve(Scene(["", ""], on: loop)) { $0.refusals["v0"] = .clientLeft }
        }
        #expect(served.steps == ["v0 unfit"] && served.failure?.kind == .cancelled)
    }

    @Test("each failed call is reported once, before the next candidate is called")
    func failures() async {
        let served = await onLoop { loop in
            await serve(Scene(["", "", ""], on: loop)) {
                $0.failures = ["v0": .scripted(.failed), "v1": .scripted(.rateLimited)]
            }
        }
        #expect(served.by == "v2")
        #expect(served.steps == ["v0", "v0 failed", "v1", "v1 failed", "v2"])
    }

    @Test("the deadline ends a call to a silent vendor, and no other follows")
    func deadline() async {
        let served = await onLoop { loop in
            await serve(Scene(["", ""], "FALLBACK_DEADLINE=1", on: loop)) { $0.silent = ["v0"] }
        }
        #expect(served.steps == ["v0", "v0 failed"])
        #expect(served.failure?.kind == .timedOut && served.failure?.cause == UpstreamError.tooLate)
    }

    @Test("the time that a request waits for its client does not count for the deadline")
    func clientWait() async {
        let served = await onLoop { loop in
            await serve(Scene(["", ""], "FALLBACK_DEADLINE=1", on: loop)) {
                $0.clientWait = 1_200_000_000
                $0.failures = ["v0": .scripted(.failed)]
            }
        }
        #expect(served.by == "v1", "\(served)")
    }
}
