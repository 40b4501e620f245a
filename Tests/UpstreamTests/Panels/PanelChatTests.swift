import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// Tests of a panel without a client's request: its calls go to scripted vendors.
@Suite struct PanelChatTests {
    private static func said(_ text: String) -> [Step] { [.text(text), .finish(.stop)] }

    @Test("a panel calls its members and its summary model, and each call ends once", arguments: [false, true])
    func whole(isStreamed: Bool) async {
        let heard = await onLoop { loop in
            let scene = PanelScene(
                of: ["a": Self.said("from a"), "b": Self.said("from b"), "s": Self.said("sum")],
                on: loop
            )
            return await scene.ask(isStreamed: isStreamed)
        }
        #expect(heard.text == "sum" && heard.failure == nil)
        #expect(heard.ends.sorted() == ["a", "b", "s"])
        #expect(heard.counted.sorted() == ["a", "b", "s"])
    }

    @Test("a member that fails is left out of the summary; with too few responses the panel fails")
    func fails() async {
        let broken: [Step] = [.failure(.badRequest)]
        let few = await onLoop { loop in
            await PanelScene(of: ["a": broken, "b": broken, "s": Self.said("sum")], on: loop).ask()
        }
        #expect(few.text == nil && few.failure != nil && few.counted.sorted() == ["a", "b"])
        let one = await onLoop { loop in
            await PanelScene(of: ["a": broken, "b": Self.said("from b"), "s": Self.said("sum")], on: loop).ask()
        }
        #expect(one.text == "sum")
    }
}

/// A panel of the models `a` and `b` with the summary model `s`, each at a vendor of its own.
private final class PanelScene: PanelRequester, ChatServices, @unchecked Sendable {
    struct Heard: Sendable {
        var text: String?
        var failure: UpstreamError.Kind?
        var ends: [String] = []
        var counted: [String] = []
    }

    let registry: Registry
    let loop: EventLoop
    let ids = RandomBytes()
    let memory = MemoryBudget(bytes: 1 << 24)
    let worker = WorkQueue(bytes: 1 << 24)
    private let panel: Panel
    private var heard = Heard()

    init(of scripts: [String: [Step]], on loop: EventLoop) {
        self.loop = loop
        let settings = settings(
            [],
            """
            PROVIDER_A_KIND=echo
            PROVIDER_A_MODELS=a
            PROVIDER_B_KIND=echo
            PROVIDER_B_MODELS=b
            PROVIDER_S_KIND=echo
            PROVIDER_S_MODELS=s
            PANEL_P_MODELS=a,b
            PANEL_P_SUMMARY_MODEL=s
            PANEL_P_ATTEMPTS=1
            PANEL_P_MIN_ANSWERS=1
            """
        )
        let entries = ["a", "b", "s"].map { name in
            Registry.Entry(
                provider: ScriptedVendor(named: name, [[scripts[name] ?? []]]),
                keys: nil,
                isPassthrough: false,
                countsCredits: false
            )
        }
        registry = Registry(entries, ModelCatalog(settings, [:]), balance: Balance(settings.balance), on: loop)
        panel = settings.panels[0]
    }

    /// Asks the panel, and returns what came back and which calls ended.
    func ask(isStreamed: Bool = false) async -> Heard {
        let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
        var call = chatCall(isStreamed: isStreamed)
        call.model = panel.name
        let chat = PanelChat(call, panel, caller: Caller(anonymousWith: [.all]), for: self)
        do {
            try await chat.prepare()
            switch try await chat.open(admission.billing, notes: nil) {
            case .whole(let response): heard.text = response.choices.first?.text?.text
            case .stream(let open):
                heard.text = await hear(open.stream).texts[0]
                open.ended?(nil, nil)
            }
        } catch {
            heard.failure = (error as? UpstreamError)?.kind ?? .badRequest
        }
        return heard
    }

    // MARK: Services

    var services: any ChatServices { self }

    func admit(
        _ call: PanelCall,
        _ asked: ChatCall,
        _ leading: Candidate,
        for caller: Caller
    ) async throws(UpstreamError) {
        heard.counted.append(call.name)
    }

    func ended(_ call: PanelCall, _ usage: Usage?, _ error: UpstreamError?) { heard.ends.append(call.name) }

    func usageReservation(for fit: ChatFit) -> UsageReservation? { nil }

    func sessionHash(of caller: Caller) -> UInt64? { nil }

    func mediaAccess(for caller: Caller) -> MediaAccess {
        MediaAccess(registry, for: caller, worker: worker, fetcher: nil, assets: AssetCache()) { _ in nil }
    }

    func memory(of caller: Caller) -> ImageMemory {
        ImageMemory(SharedState(MemoryCounters { 0 }, timeoutMilliseconds: 1_000), of: caller, on: loop)
    }
}
