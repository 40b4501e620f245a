import Engine
import Shared
import Upstream

/// A step of scripted output.
enum Step: Sendable {
    case text(String)
    case reasoning(String)
    case call(id: String, name: String, arguments: String)
    case finish(FinishReason)
    case failure(UpstreamError.Kind)
}

/// A vendor with scripted output: steps for each choice, and one script for each call. The last script is repeated.
///
/// `@unchecked`: used on one loop only.
final class ScriptedVendor: ChatVendor, @unchecked Sendable {
    let name: String
    let wires: [Wire] = []
    private let can: Abilities
    private var scripts: [[[Step]]]
    private(set) var calls = 0
    private(set) var keys: [String] = []
    fileprivate(set) var stopped = 0

    init(named name: String = "scripted", can: Abilities = [], _ scripts: [[[Step]]]) {
        self.name = name
        self.can = can
        self.scripts = scripts
    }

    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { can }

    func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        keys.append(attempt.key)
        return ScriptedChat(self)
    }

    fileprivate func next() -> [[Step]] {
        calls += 1
        return scripts.count > 1 ? scripts.removeFirst() : scripts[0]
    }
}

private final class ScriptedChat: PreparedChat, @unchecked Sendable {  // on its vendor's loop
    let promptTokens = 7
    private let vendor: ScriptedVendor

    init(_ vendor: ScriptedVendor) { self.vendor = vendor }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let script = vendor.next()
        if case .failure(let kind) = script.first?.first { throw UpstreamError(kind, cause: "scripted") }
        return ScriptedResponse(vendor, script)
    }
}

private final class ScriptedResponse: ChatStream, @unchecked Sendable {  // on its vendor's loop
    let usage: Usage? = nil
    let credits: Int? = nil
    private let vendor: ScriptedVendor
    private var steps: [(choice: Int, step: Step)]

    init(_ vendor: ScriptedVendor, _ script: [[Step]]) {
        self.vendor = vendor
        steps = script.enumerated().flatMap { choice, steps in steps.map { (choice, $0) } }.reversed()
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { steps.isEmpty ? .end : .bytes }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard let (choice, step) = steps.popLast() else { return false }
        switch step {
        case .text(let text): withBytes(text) { emit(choice, .text($0)) }
        case .reasoning(let text): withBytes(text) { emit(choice, .reasoning($0)) }
        case .call(let id, let name, let arguments):
            withBytes(id) { id in withBytes(name) { emit(choice, .toolCall(index: 0, id: id, name: $0)) } }
            withBytes(arguments) { emit(choice, .toolArguments(index: 0, $0)) }
        case .finish(let reason): emit(choice, .finish(reason, stop: nil))
        case .failure(let kind): throw UpstreamError(kind, cause: "scripted")
        }
        return true
    }

    func stop() { vendor.stopped += 1 }
}

/// The output of each choice, as a client would receive it.
struct ChoiceOutput: Equatable, Sendable {
    var texts: [Int: String] = [:]
    var reasoning: [Int: String] = [:]
    var calls: [Int: [String]] = [:]
    /// The signatures of reasoning, and sealed reasoning.
    var seals: [String] = []
    var ends: [Int: [FinishReason]] = [:]
    var failure: UpstreamError.Kind?
    var tokens: Int?
}

/// Reads a stream to its end or failure, and stops it. Returns what was received.
func hear(_ stream: any ChatStream) async -> ChoiceOutput {
    var heard = ChoiceOutput()
    do throws(UpstreamError) {
        while try await stream.more(patienceNanoseconds: 1_000_000_000) != .end {
            while try stream.next({ choice, event in
                switch event {
                case .text(let text, _): heard.texts[choice, default: ""] += text.text
                case .reasoning(let text): heard.reasoning[choice, default: ""] += text.text
                case .toolCall(_, let id, let name): heard.calls[choice, default: []] += [id.text, name.text]
                case .toolArguments(_, let text): heard.calls[choice, default: []].append(text.text)
                case .signature(_, let text), .encryptedReasoning(let text): heard.seals.append(text.text)
                case .finish(let reason, _): heard.ends[choice, default: []].append(reason)
                default: break
                }
            }) {}
        }
    } catch {
        heard.failure = error.kind
    }
    heard.tokens = stream.usage?.completionTokens
    stream.stop()
    return heard
}

let anyModel = Model(chatModel: "m", owner: "")

func chatCall(choices: Int = 1, stops: [String] = [], maxTokens: Int? = nil, isStreamed: Bool = true) -> ChatCall {
    var call = ChatCall()
    call.model = "m"
    call.messages = [ChatMessage(role: .user, text: "hello there")]
    call.isStreamed = isStreamed
    (call.choices, call.stops, call.maxTokens) = (choices, stops, maxTokens)
    if choices > 1 { call.needs.insert(.choices) }
    if !stops.isEmpty { call.needs.insert(.stops) }
    if maxTokens != nil { call.needs.insert(.tokenBound) }
    return call
}
