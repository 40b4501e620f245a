import Engine
import Support
import Synchronization
import Testing

@testable import Upstream

@Suite struct QuirkMemoryTests {
    private final class WallClock: Sendable {
        let seconds = Atomic(1_000_000)
    }

    private static func call(_ owner: CallQuirks.Owner, isOfSession: Bool = false) -> CallQuirks {
        var call = CallQuirks()
        call.owner = owner
        call.isOfSession = isOfSession
        return call
    }

    private static let owners: [CallQuirks.Owner] = [
        .known(1), .known(2), .known(3), .anonymous, .passThrough(1), .passThrough(2), .none,
    ]

    /// Returns the first step at which a memory differs from the rules; nil if it never does.
    ///
    /// - Parameter mistake: returns the callers for whom the memory is told to remember what one caller met.
    private static func differingStep(_ mistake: (CallQuirks.Owner) -> [CallQuirks.Owner]) -> Int? {
        let memory = QuirkMemory()
        var random = Seeded(11)
        var met: [QuirkName: Set<CallQuirks.Owner>] = [:]
        for step in 0..<2_000 {
            let owner = owners[random.below(owners.count)]
            let quirk = QuirkName.allCases[random.below(12)]
            if random.below(40) == 0 {
                for owner in mistake(owner) { memory.learn([QuirkFinding(quirk)], for: ModelCaller("p", "m", owner)) }
                met[quirk, default: []].insert(owner)
            }
            let reader = owners[random.below(owners.count)]
            let expected = met.filter { _, owners in
                let known = owners.filter { if case .known = $0 { true } else { false } }.count
                if case .passThrough = reader { return owners.contains(reader) }
                return known > 1 || reader != .none && owners.contains(reader)
            }
            let quirks = Set(expected.keys.map { Quirk.named($0) })
            if memory.quirks(of: "p", "m", for: call(reader)) != quirks { return step }
            if memory.known(of: "p", "m", for: call(reader)).sure != quirks { return step }
            if !memory.quirks(of: "p", "other", for: call(reader)).isEmpty { return step }
        }
        return nil
    }

    @Test("what one caller meets changes the calls of others only after a second known caller") func callers() {
        #expect(Self.differingStep { [$0] } == nil)
        #expect(Self.differingStep { _ in Self.owners } != nil, "one caller's for all")
        #expect(Self.differingStep { _ in [] } != nil, "nothing is remembered")
    }

    @Test("quirks beside different values of a field have different ids, and are forgotten one by one") func ids() {
        let memory = QuirkMemory()
        for schema in [#"{"type":"json_schema","a":1}"#, #"{"type":"json_schema","a":2}"#] {
            let request = ByteBuffer(#"{"response_format":\#(schema)}"#)
            var finding = QuirkFinding(.noSchemas)
            finding.beside = OtherField("response_format", sameAsIn: RawJSON(request.bytes))
            memory.learn([finding], for: ModelCaller("p", "m", .known(1)))
        }
        let listed = memory.listed()
        #expect(Set(listed.map(\.condition)).count == 1 && Set(listed.map(\.id)).count == 2)
        memory.forget(id: listed[0].id)
        #expect(memory.listed().map(\.id) == [listed[1].id])
    }

    @Test("a quirk that is an hour old is tried without by one call, unless a session is busy") func hour() {
        let clock = WallClock()
        let memory = QuirkMemory(now: { clock.seconds.load(ordering: .relaxed) })
        let finding = QuirkFinding(.joinedContent)
        let (owner, call) = (CallQuirks.Owner.known(1), Self.call(.known(1)))
        memory.learn([finding], for: ModelCaller("p", "m", owner))
        clock.seconds.add(3_599, ordering: .relaxed)
        #expect(memory.known(of: "p", "m", for: call).others.isEmpty)
        #expect(!memory.beginTrial(of: finding, for: ModelCaller("p", "m", owner)))
        _ = memory.known(of: "p", "m", for: Self.call(owner, isOfSession: true))
        clock.seconds.add(599, ordering: .relaxed)
        #expect(memory.known(of: "p", "m", for: call).others.isEmpty)
        clock.seconds.add(1, ordering: .relaxed)
        #expect(memory.known(of: "p", "m", for: call).others.map(\.isDue) == [true])
        #expect(memory.beginTrial(of: finding, for: ModelCaller("p", "m", owner)))
        #expect(!memory.beginTrial(of: finding, for: ModelCaller("p", "m", owner)))
        #expect(memory.known(of: "p", "m", for: call).sure == [.named(.joinedContent)])
        memory.forget([finding], for: ModelCaller("p", "m", owner))
        #expect(memory.quirks(of: "p", "m", for: call).isEmpty)
    }

    @Test("a session delays the trials of its own caller only") func sessions() {
        let clock = WallClock()
        let memory = QuirkMemory(now: { clock.seconds.load(ordering: .relaxed) })
        let finding = QuirkFinding(.joinedContent)
        for caller in [1, 2] as [UInt64] { memory.learn([finding], for: ModelCaller("p", "m", .known(caller))) }
        clock.seconds.add(3_600, ordering: .relaxed)
        _ = memory.known(of: "p", "m", for: Self.call(.known(1), isOfSession: true))
        // A call that is not prepared yet delays none.
        _ = memory.quirks(of: "p", "m", for: Self.call(.known(2), isOfSession: true))
        for (caller, isDue) in [(1, false), (2, true), (3, true)] as [(UInt64, Bool)] {
            #expect(memory.known(of: "p", "m", for: Self.call(.known(caller))).others.isEmpty != isDue)
        }
    }

    @Test("what others have met within the hour, one caller does not make the memory forget") func oneCaller() {
        let clock = WallClock()
        let memory = QuirkMemory(now: { clock.seconds.load(ordering: .relaxed) })
        let finding = QuirkFinding(.joinedContent)
        memory.learn([finding], for: ModelCaller("p", "m", .known(1)))
        clock.seconds.add(3_600, ordering: .relaxed)
        #expect(memory.beginTrial(of: finding, for: ModelCaller("p", "m", .known(1))))
        memory.learn([finding], for: ModelCaller("p", "m", .known(2)))
        memory.forget([finding], for: ModelCaller("p", "m", .known(1)))
        #expect(memory.quirks(of: "p", "m", for: Self.call(.known(1))).isEmpty)
        #expect(memory.quirks(of: "p", "m", for: Self.call(.known(2))) == [.named(.joinedContent)])
        memory.learn([QuirkFinding([.beta("b")])], for: ModelCaller("p", "m", .known(2)))
        let names = (0..<100).map { "beta-\($0)" }
        memory.learn([QuirkFinding(names.map { .beta($0) })], for: ModelCaller("p", "m", .known(3)))
        #expect(memory.refusedBetas(of: "p", "m", for: Self.call(.known(2))) == ["b"])
        #expect(memory.refusedBetas(of: "p", "m", for: Self.call(.known(3))) == Array(names.suffix(47)))
    }

    @Test("of two bounds both hold, so the smaller one counts") func bounds() {
        let memory = QuirkMemory()
        for most in [4_096, 1_024, 2_048] {
            memory.learn(
                [QuirkFinding([FieldChange(path: ["max_tokens"], kind: .atMost(most))])],
                for: ModelCaller("p", "m", .anonymous)
            )
        }
        let known = memory.known(of: "p", "m", for: Self.call(.anonymous))
        #expect(known.sure.isEmpty && known.others.count == 3)
        var body = Body(ByteBuffer(#"{"max_tokens":9000}"#))
        for (finding, _) in known.others where finding.concerns(RawJSON(body.bytes)) {
            body = finding.changes[0].applied(to: body)
        }
        #expect(body.bytes.text == #"{"max_tokens":1024}"#)
    }

    @Test("what a call could not prove changes this caller's calls only") func unproven() {
        let memory = QuirkMemory()
        for caller in [1, 2] as [UInt64] {
            memory.learn([QuirkFinding(.shortIDs)], for: ModelCaller("p", "m", .known(caller)), isProven: false)
        }
        #expect(memory.quirks(of: "p", "m", for: Self.call(.known(1))) == [.named(.shortIDs)])
        #expect(memory.quirks(of: "p", "m", for: Self.call(.known(3))).isEmpty)
    }
}
