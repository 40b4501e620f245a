import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct RegistryTests {
    /// Returns a registry with providers `v0`, `v1`, ... of the model `m`.
    private func registry(passingOn isPassthrough: [Bool], on loop: EventLoop) -> Registry {
        let settings = settings(isPassthrough.map { _ in "" })
        let entries = isPassthrough.indices.map { index in
            Registry.Entry(
                provider: ScriptedVendor(named: "v\(index)", [[[]]]),
                keys: isPassthrough[index] ? nil : KeyRing(["own"], weights: [1]),
                isPassthrough: isPassthrough[index],
                countsCredits: index == 1
            )
        }
        return Registry(entries, ModelCatalog(settings, [:]), balance: Balance(settings.balance), on: loop)
    }

    private let caller = Caller(anonymousWith: [.all])

    /// Returns the candidates for a model; nil if no provider serves it.
    private func found(
        _ registry: Registry,
        _ name: String = "m",
        _ caller: Caller? = nil,
        able features: Model.Features = .chat
    ) -> Candidates? {
        try? registry.candidates(name, for: caller ?? self.caller, able: features)
    }

    private func names(_ candidates: Candidates?) -> String {
        guard let candidates else { return "nobody" }
        return (0..<candidates.count).map { candidates[$0].provider.name }.joined(separator: " ")
    }

    @Test("calls of a name share its candidates, of which each may serve the caller")
    func candidates() async {
        await onLoop { loop in
            let registry = registry(passingOn: [false, false, false], on: loop)
            let (one, other) = (found(registry), found(registry, able: .chatting))
            #expect(names(one) == "v0 v1 v2" && one?.leading === other?.leading)
            #expect(names(found(registry, "m", .visitor)) == "nobody")
            #expect(names(found(registry, able: .speechToText)) == "nobody")
            #expect(names(found(registry, "x")) == "nobody")
            guard let leading = one?.leading else { return }
            #expect(registry.creditPrices(of: leading, asked: "m", for: caller) == [CreditPrices()])
            #expect(registry.creditPrices(of: leading, asked: "m", for: .visitor) == [])
        }
    }

    @Test("a provider that takes callers' own keys serves those that bring one, each with its own")
    func passedOn() async {
        await onLoop { loop in
            let registry = registry(passingOn: [true, false, true], on: loop)
            #expect(names(found(registry)) == "v1")
            let (one, other) = (found(registry, "m", .visitor), found(registry, "m", .visitor))
            #expect(names(one) == "v0 v2" && one?.leading.fixed != nil)
            #expect(one?.leading !== other?.leading)
        }
    }

    @Test("where all take callers' own keys, each call has its caller's, and the numbers of all are kept")
    func allPassedOn() async {
        await onLoop { loop in
            let registry = registry(passingOn: [true, true], on: loop)
            #expect(names(found(registry)) == "nobody")
            for key in ["one", "one", "two", "one"] {
                let bringing = Caller(passingOn: key, Digest(of: key), models: [])
                let found = self.found(registry, "m", bringing)
                #expect(names(found) == "v0 v1" && found?.isSingle == false)
                #expect(found.map { [$0[0].fixed?.key, $0[1].fixed?.key] } == [key, key])
                #expect(found?.leading.usesOwnKey == false)
                guard let leading = found?.leading else { return }
                #expect(registry.creditPrices(of: leading, asked: "m", for: bringing) == [CreditPrices()])
                #expect(registry.creditPrices(of: leading, asked: "m", for: caller) == [])
            }
            #expect(
                names(
                    self.found(
                        registry,
                        "m",
                        Caller(passingOn: "one", Digest(of: "one"), models: []),
                        able: .speechToText
                    )
                ) == "nobody"
            )
        }
    }

    @Test("what is kept for a caller's key goes with the registry")
    func forgotten() async {
        await onLoop { loop in
            weak var left: Candidate?
            do {
                let registry = registry(passingOn: [true], on: loop)
                let found = found(registry, "m", Caller(passingOn: "one", Digest(of: "one"), models: []))
                left = found?.leading
                #expect(left != nil)
            }
            #expect(left == nil)
        }
    }

    @Test("fifty providers have their turns, one after the other or by weight", arguments: ["sequence", "smooth"])
    func turns(_ order: String) async {
        let names = await onLoop { loop in
            await Scene(Array(repeating: "", count: 50), "BALANCE=\(order)", on: loop).names(51)
        }
        #expect(names == ((0..<50).map { "v\($0)" } + ["v0"]).joined(separator: " "))
    }

    @Test("with the least load, the key that was used least goes first")
    func leastLoad() async {
        let names = await onLoop { loop in
            let rings = [0: KeyRing(["a", "b"], weights: [1, 1]), 1: KeyRing(["c", "d"], weights: [1, 1])]
            return await Scene(["", "WEIGHT=2"], "BALANCE=least-load", keys: rings, on: loop).names(6)
        }
        #expect(names == "v1.k1 v1.k2 v0.k1 v0.k2 v1.k1 v1.k2")
    }
}
