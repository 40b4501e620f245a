import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// One vendor over scripted bytes, with what the relay needs for its chats.
///
/// `@unchecked`: used on one loop only.
final class ContractScene: ChatServices, @unchecked Sendable {
    let contract: any VendorContract
    let vendor: any ChatVendor
    let transport = ContractTransport()
    let ids = RandomBytes()
    let memory = MemoryBudget.unbounded()
    let worker: WorkQueue
    let loop: EventLoop
    var model: Model
    var key = Credential(own: "key", label: "k1")
    private let caller = Caller(anonymousWith: [.all])

    private static let workers = WorkQueue(bytes: 1 << 24)

    init?(_ kind: VendorKind, on loop: EventLoop) {
        self.loop = loop
        worker = Self.workers
        contract = kind.contract
        model = Model(chatModel: contract.model, owner: "")
        let tools = LoopTools(loop, JSONParser(), ids: RandomBytes(), worker: worker)
        guard let vendor = contract.vendor(transport, tools) else { return nil }
        self.vendor = vendor
    }

    func mediaAccess(for caller: Caller) -> MediaAccess { preconditionFailure("no call of a contract has media") }

    func memory(of caller: Caller) -> ImageMemory {
        ImageMemory(SharedState(MemoryCounters { 0 }, timeoutMilliseconds: 1_000), of: caller, on: loop)
    }

    // MARK: Calls

    /// Returns a call that all vendors can serve, whole or streamed.
    func call(isStreamed: Bool, choices: Int = 1, tools: [String] = []) -> ChatCall {
        var call = chatCall(choices: choices, maxTokens: 1_000, isStreamed: isStreamed)
        call.model = model.id
        if tools.isEmpty { return call }
        let schema = Body(ByteBuffer(#"{"type":"object","properties":{"x":{}}}"#))
        call.chatOptions.tools = tools.map { name in
            ChatOptions.Tool(.function, name: name, description: nil, schema: schema, isStrict: nil)
        }
        call.needs.insert(.tools)
        return call
    }

    /// Returns the response to a call, whole or as one piece of a stream.
    func response(_ said: SaidResponse, isStreamed: Bool) -> ContractTransport.Response {
        isStreamed ? .pieces([contract.events(said).joined()]) : .whole(contract.whole(said))
    }

    /// Makes a call to the vendor, which responds with `said`.
    func ask(_ call: ChatCall, _ said: SaidResponse = SaidResponse()) async -> ContractOutcome {
        await ask(call, [response(said, isStreamed: call.isStreamed)])
    }

    /// Makes a call to the vendor, and checks what each call must leave behind, whatever its outcome.
    ///
    /// - Parameter isDropped: whether the client leaves as soon as a stream has begun.
    func ask(
        _ call: ChatCall,
        _ responses: [ContractTransport.Response],
        isDropped: Bool = false
    ) async -> ContractOutcome {
        transport.begin(responses)
        let capacity = CountingCapacity()
        let averages = RecentUsageAverages { 0 }
        let reserved = UsageReservation(
            reserving: Amounts(),
            model: "m",
            creditsPerCall: 0,
            averages: averages,
            prompt: UsageReservation.Prompt(tokens: 9)
        )
        let admission = Admission(reserved, holding: Limiter(store: nil).admitUncovered())
        let billing = admission.billing
        // A failed call is not repeated after a pause.
        billing.repeatsEndAt = .distantPast
        var outcome = ContractOutcome()
        do throws(UpstreamError) {
            try await serve(call, billing, capacity, isDropped: isDropped, &outcome)
        } catch {
            outcome.error = error
        }
        let ended = billing.allRecords.count
        end(admission)
        outcome.records = billing.allRecords
        outcome.impossible = billing.impossibleUsage.count
        outcome.requests = transport.requests
        outcome.expectedTokens = averages.means(of: "m").completionTokens
        let requests = outcome.requests.count
        #expect(outcome.records.count == requests, "each call has one record")
        #expect(isDropped || ended == requests, "a call that was not dropped has an end")
        #expect(requests != 1 || billing.onlyRecord != nil, "the bill has no hidden second end")
        #expect(capacity.starts == max(1, requests), "each call has one permit")
        #expect(capacity.taken == capacity.freed, "each slot is given back")
        #expect(transport.isClosed, "each stream is stopped once")
        return outcome
    }

    private func end(_ admission: consuming Admission) {}

    private func serve(
        _ call: ChatCall,
        _ billing: Billing,
        _ capacity: CountingCapacity,
        isDropped: Bool,
        _ outcome: inout ContractOutcome
    ) async throws(UpstreamError) {
        let candidate = Candidate(
            server: Billing.Server("p", name: model.id),
            provider: vendor,
            model: model,
            keys: nil,
            fixed: nil,
            offeredBy: 0,
            rank: ModelCatalog.Rank(priority: 1),
            loop: loop
        )
        billing.server = candidate.server
        let fit: ChatFit
        do throws(APIError) {
            fit = try ChatFit(call, candidate, caller: caller, services: self)
            if fit.isUnprepared { try await fit.prepare() }
        } catch {
            throw UpstreamError(refusing: error)
        }
        billing.hold(try await capacity.acquire(for: key, isAfterAnother: false, .none, by: .distantPast, on: loop))
        let attempt = Attempt(key, of: candidate.server, billing: billing, on: loop, within: capacity)
        let begun: BegunChat
        do throws(UpstreamError) {
            begun = try await fit.open(by: attempt, isLast: true, waitsForEvent: false)
        } catch {
            throw attempt.failure(error)
        }
        switch begun {
        case .whole(let response):
            let log = EventLog()
            response.emit(log.append)
            try await outcome.receive(LoggedStream(log, usage: nil))
            outcome.usage = response.usage
        case .stream(let open):
            open.call = BegunCall(only: attempt)
            defer { open.stream.stop() }
            if isDropped { return }
            do throws(UpstreamError) {
                try await outcome.receive(open.stream)
                outcome.usage = open.completed(bytes: 0) { 5 }
            } catch {
                throw open.brokeOff(error, deliveredTokens: outcome.texts.isEmpty ? 0 : 5).0
            }
        }
    }
}

/// The outcome of a call, as the client and the bill see it.
struct ContractOutcome: Sendable {
    /// The output that is then expected of each choice.
    var expectedTokens = 0
    var texts: [Int: String] = [:]
    var reasoning = ""
    var seals: [String] = []
    var calls: [ToolCall] = []
    var ends: [Int: [FinishReason]] = [:]
    var error: UpstreamError?
    var usage: Usage?
    var records: [CallRecord] = []
    /// The number of calls with an impossible number of tokens.
    var impossible = 0
    var requests: [(location: String, body: String)] = []

    /// Whether the response is complete: each of its choices has one end.
    func isWhole(choices: Int = 1) -> Bool {
        error == nil && ends.count == choices && ends.values.allSatisfy { $0.count == 1 }
    }

    /// The calls without their ids.
    var named: [String] { calls.map { "\($0.name) \($0.arguments)" } }

    /// Whether another outcome has the same output and usage. Ids that the relay has made differ.
    func isLike(_ other: ContractOutcome) -> Bool {
        texts == other.texts && reasoning == other.reasoning && seals == other.seals && named == other.named
            && ends == other.ends && usage == other.usage && error?.kind == other.error?.kind
    }

    mutating func receive(_ stream: any ChatStream) async throws(UpstreamError) {
        repeat {
            while try stream.next({ record($0, $1) }) {}
        } while try await stream.more(patienceNanoseconds: .max / 4) != .end
    }

    private mutating func record(_ choice: Int, _ event: ChatEvent) {
        #expect(ends[choice] == nil, "nothing follows the end of a choice")
        switch event {
        case .text(let text, _): texts[choice, default: ""] += text.text
        case .reasoning(let text): reasoning += text.text
        case .toolCall(let index, let id, let name):
            #expect(index == calls.count, "calls are numbered in their order")
            calls.append(ToolCall(id: id.text, name: name.text, arguments: ""))
        case .toolArguments(let index, let piece):
            if calls.indices.contains(index) { calls[index].arguments += piece.text }
        case .signature(_, let text): seals.append(text.text)
        case .encryptedReasoning(let text): seals.append("sealed \(text.text)")
        case .finish(let reason, _): ends[choice, default: []].append(reason)
        default: break
        }
    }
}

/// Runs a test with a vendor of this kind, on a loop of its own.
func withScene(_ kind: VendorKind, _ body: @escaping @Sendable (ContractScene) async -> Void) async {
    await onLoop { loop in
        guard let scene = ContractScene(kind, on: loop) else {
            Issue.record("the vendor was not made")
            return
        }
        await body(scene)
    }
}
