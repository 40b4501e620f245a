import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct TurnTests {
    private func order(_ weights: [Double], _ order: BalanceSettings.Order, _ count: Int) -> String {
        var state = TurnState()
        let members = weights.enumerated().filter { $0.element > 0 }
            .map { TurnState.Member(candidateIndex: $0.offset, weight: $0.element) }
        return (0..<count).map { _ in "ABCDE".map(String.init)[state.next(of: members, by: order).candidateIndex] }
            .joined()
    }

    @Test("in sequence each is used as often in a row as its weight says")
    func sequence() {
        #expect(order([1, 2], .sequence, 6) == "ABBABB")
        #expect(order([3, 0, 1], .sequence, 8) == "AAACAAAC")
        #expect(order([1, 1, 1], .sequence, 7) == "ABCABCA")
        #expect(order([0.4, 2.9], .sequence, 6) == "ABBABB")
        #expect(order([5], .sequence, 3) == "AAA")
    }

    @Test("smoothly they have the same shares, spread, and fractions exactly")
    func smooth() {
        #expect(order([5, 1, 1], .smooth, 7) == "AABACAA")
        #expect(order([1, 2], .smooth, 6) == "BABBAB")
        let shares = order([0.5, 1.5], .smooth, 400)
        #expect(shares.count { $0 == "A" } == 100)
    }

    @Test("one that may not have its turn is passed over")
    func passesOver() {
        var state = TurnState()
        let (a, b, c) = (
            TurnState.Member(candidateIndex: 0, weight: 2), TurnState.Member(candidateIndex: 1, weight: 1),
            TurnState.Member(candidateIndex: 2, weight: 1)
        )
        #expect(state.next(of: [a, b, c], by: .sequence).candidateIndex == 0)
        #expect(state.next(of: [b, c], by: .sequence).candidateIndex == 1)
        #expect(state.next(of: [a, c], by: .sequence).candidateIndex == 2)
        #expect(state.next(of: [a, b, c], by: .sequence).candidateIndex == 0)
    }

    @Test(
        "a turn that is given back is as if it had not been taken",
        arguments: [BalanceSettings.Order.sequence, .smooth]
    )
    func givesBack(order: BalanceSettings.Order) {
        let members = [3.0, 1, 2].enumerated().map { TurnState.Member(candidateIndex: $0.offset, weight: $0.element) }
        var (state, plain) = (TurnState(), TurnState())
        for _ in 0..<30 {
            for others in [members, Array(members[1...]), [members[2]]] {
                state.giveBack(state.next(of: others, by: order), of: others, by: order)
            }
            #expect(
                state.next(of: members, by: order).candidateIndex == plain.next(of: members, by: order).candidateIndex
            )
        }
    }

    @Test("a turn that is given back to a state begun anew, for fewer providers, goes to its place")
    func givesBackToAnotherState() {
        let members = [1.0, 1, 1].enumerated().map { TurnState.Member(candidateIndex: $0.offset, weight: $0.element) }
        var (old, new) = (TurnState(), TurnState())
        let turn = (0..<3).map { _ in old.next(of: members, by: .smooth) }[2]
        _ = new.next(of: Array(members[..<2]), by: .smooth)
        new.giveBack(turn, of: members, by: .smooth)
        #expect(new.next(of: members, by: .smooth).candidateIndex == 2)
    }

    @Test("after others were taken it goes to the next", arguments: [BalanceSettings.Order.sequence, .smooth])
    func givesBackLate(order: BalanceSettings.Order) {
        let members = [1.0, 1].enumerated().map { TurnState.Member(candidateIndex: $0.offset, weight: $0.element) }
        var state = TurnState()
        let first = state.next(of: members, by: order)
        #expect(first.candidateIndex == 0 && state.next(of: members, by: order).candidateIndex == 1)
        state.giveBack(first, of: members, by: order)
        #expect((0..<3).map { _ in state.next(of: members, by: order).candidateIndex } == [0, 0, 1])
    }

    @Test("requests take turns by priority and weight; a weight of 0 is never asked")
    func requests() async {
        let names = await onLoop { loop in
            let scene = Scene(["WEIGHT=1", "WEIGHTS=m=2", "WEIGHT=0", "PRIORITY=2"], on: loop)
            return await scene.names(6)
        }
        #expect(names == "v0 v1 v1 v0 v1 v1")
    }

    @Test("the rest of the group follows in order, then the next priority by its own turn")
    func fallbackOrder() async {
        let asked = await onLoop { loop in
            let scene = Scene(["PRIORITY=2", "", "", "PRIORITY=2"], on: loop)
            let failed = ["v1": [UpstreamError.scripted(.failed)], "v2": [.scripted(.failed)]]
            return [await scene.ask(failed).names, await scene.ask(failed).names]
        }
        #expect(asked == [["v1", "v2", "v0"], ["v2", "v1", "v3"]])
    }

    @Test("1,000 requests at once on four loops have exact shares")
    func concurrent() async {
        let (modelCatalog, rules) = providers(["WEIGHT=1", "WEIGHT=3"])
        let balance = Balance(rules)
        let members = modelCatalog.map { TurnState.Member(candidateIndex: $0.provider, weight: $0.rank.weight) }
        let key = Balance.TurnKey(model: "m", priority: 1)
        let first = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<1_000 { group.addTask { balance.turn(key, for: nil, of: members).candidateIndex } }
            var first = 0
            for await candidateIndex in group where candidateIndex == 0 { first += 1 }
            return first
        }
        #expect(first == 250)
    }

    @Test("they have them, too, where half of the requests give their turns back")
    func concurrentReturns() async {
        let (modelCatalog, rules) = providers(["WEIGHT=1", "WEIGHT=3"])
        let balance = Balance(rules)
        let members = modelCatalog.map { TurnState.Member(candidateIndex: $0.provider, weight: $0.rank.weight) }
        let key = Balance.TurnKey(model: "m", priority: 1)
        var first = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<1_000 {
                group.addTask {
                    let turn = balance.turn(key, for: nil, of: members)
                    if number % 2 == 0 { return turn.candidateIndex }
                    balance.giveBack(turn, key, for: nil, of: members)
                    return nil
                }
            }
            var first = 0
            for await candidateIndex in group where candidateIndex == 0 { first += 1 }
            return first
        }
        // Turns that were given back last are still available.
        for _ in 0..<500 where balance.turn(key, for: nil, of: members).candidateIndex == 0 { first += 1 }
        #expect(first == 250)
    }
}
