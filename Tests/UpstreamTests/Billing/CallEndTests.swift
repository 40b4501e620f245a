import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// Tests of the begin and the end of upstream calls.
@Suite struct CallEndTests {
    /// Makes a call and one beside it, and returns the bill and the number of permits that were acquired.
    private func made(
        _ ending: @escaping @Sendable (Attempt, Attempt) async throws -> Void
    ) async -> (records: [CallRecord], starts: Int) {
        await onLoop { loop in
            let transport = ContractTransport()
            transport.begin([.whole("{}")])
            let capacity = CountingCapacity()
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let billing = admission.billing
            let server = Billing.Server("p")
            let first = Attempt(.none, of: server, billing: billing, on: loop, within: capacity)
            let other = first.makeOther()
            do {
                let endpoint = try #require(Endpoint("http://vendor/v1", EndpointOptions()))
                for call in [first, other] {
                    let request = UpstreamCall(endpoint: endpoint, headers: UpstreamHeaders([]), body: nil)
                    _ = try await call.send(request, on: transport)
                }
                try await ending(first, other)
            } catch {
                Issue.record(error)
            }
            end(admission)
            return (billing.allRecords, capacity.starts)
        }
    }

    private func end(_ admission: consuming Admission) {}

    @Test("a call beside another one needs a permit, which the first one has")
    func permits() async {
        #expect(await made { _, _ in }.starts == 1)
        let repeated = await made { first, _ in
            try await first.nextPart()
        }
        #expect(repeated.starts == 2)
    }

    @Test("a call that is dropped has an end, also beside another one")
    func dropped() async {
        #expect(await made { _, _ in }.records.map(\.error) == ["the call was dropped", "the call was dropped"])
        let one = await made { first, _ in first.end(Bill.Outcome(.responded)) }
        #expect(one.records.map(\.status) == [200, nil])
    }

    @Test("a chat's failure is reported to its key once: before the first event by the loop over candidates")
    func failedChat() async {
        let reports = await onLoop { loop in
            let keys = CountedFailures()
            let worker = WorkQueue(bytes: 1 << 20)
            defer { worker.stop() }
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let attempt = Attempt(.none, billing: admission.billing, on: loop, with: keys)
            // The call opens, and its first event is a failure.
            let chat = ScriptedVendor([[[], [.failure(.failed)]]]).prepare(chatCall(), for: anyModel, by: attempt)
            var reports: [Int] = []
            do throws(UpstreamError) {
                let stream = try await chat.open(isStreamed: true, by: attempt)
                let count = CallCount(anyModel, by: worker, on: loop)
                let open = OpenChat(stream, promptTokens: 7, count: count, attempt: attempt)
                open.call = BegunCall(only: attempt)
                do throws(UpstreamError) {
                    try await open.waitForEvent()
                } catch {
                    reports.append(keys.count)
                    _ = open.brokeOff(error, deliveredTokens: 0)
                    reports.append(keys.count)
                }
            } catch {
                Issue.record(error)
            }
            end(admission)
            return reports
        }
        #expect(reports == [0, 1])
    }

    @Test("a second end of a call ends a debug build")
    func twice() async {
        await #expect(processExitsWith: .failure) {
            await onLoop { loop in
                let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
                let call = Attempt(.none, billing: admission.billing, on: loop)
                call.end(Bill.Outcome(.responded))
                call.end(Bill.Outcome(.responded))
            }
        }
    }

    @Test("a call that was refused, and has no capacity to be repeated, has one end")
    func refused() async {
        let ended = await made { first, other in
            first.end(Bill.Outcome(.free, status: 400))
            first.end(with: UpstreamError(.failed, cause: "no capacity"))
            _ = first.failure(UpstreamError(.failed, cause: "no capacity"))
            _ = other.failure(UpstreamError(.failed, cause: "it failed"))
        }
        #expect(ended.records.map(\.status) == [400, nil])
    }
}

/// Keys that count the failures that are reported to them.
///
/// `@unchecked`: used on one loop only.
private final class CountedFailures: KeyCooldowns, @unchecked Sendable {
    private(set) var count = 0

    func served(_ credential: Credential, begun: LoopTime) {}

    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime) { count += 1 }
}
