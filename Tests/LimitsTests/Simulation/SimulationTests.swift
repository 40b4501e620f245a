import Simulation
import Support
import Testing

/// One at a time, beside the other tests.
@Suite(.serialized) struct SimulationTests {
    @Test("what is promised holds in every interleaving that a seed makes", arguments: 0..<14)
    func seeds(first: Int) async {
        let seeds = stride(from: first, to: 42, by: 14)
        for (seed, report) in await aside({ seeds.map { ($0, Simulation(seed: $0).run()) } }) {
            #expect(report.breaches.map(\.text) == [], "SEED=\(seed)")
            #expect(report.decisions > 0, "SEED=\(seed)")
        }
    }

    @Test("callers that wait are served in their turn")
    func turns() async {
        let waited = await aside { [22, 23, 24, 26].reduce(0) { $0 + Simulation(seed: $1).run().waited } }
        #expect(waited > 20)
    }

    @Test("the same seed is the same run")
    func isRepeatable() async {
        let traces = await aside {
            var traces: [[String]] = [[], []]
            for index in traces.indices { _ = Simulation(seed: 0) { traces[index].append($0) }.run() }
            return traces
        }
        #expect(traces[0].count > 100)
        #expect(traces[0] == traces[1])
    }

    @Test(
        "faults that are put in are found",
        arguments: [Plant.plainWrite, .bucketLess, .noJoin, .settleLost]
    )
    func plants(_ plant: Plant) async {
        let found = await aside { (0..<300).first { !Simulation(seed: $0, plant: plant).run().breaches.isEmpty } }
        #expect(found != nil)
    }

    @Test(
        "each mend that is taken out is missed by a schedule made for it",
        arguments: [
            (Drill.clocksApart, Plant.clockJudgedLate), (.slowAnswers, .timerDeaf), (.slowAnswers, .lateGivenUp),
            (.slowAnswers, .lateAnswer), (.storeBehind, .aheadDropped), (.sharedOut, .roundedUp),
            (.steps, .stepFollowed), (.thirdJoins, .partTooLarge), (.resets, .resetNewBirth), (.resets, .resetUnheard),
            (.numbers, .numberInKey),
        ]
    )
    func quirks(_ drill: Drill, _ plant: Plant) async {
        let found = await aside { (0..<20).first { !Simulation.drill(drill, seed: $0, plant: plant).breaches.isEmpty } }
        #expect(found != nil)
    }

    @Test("schedules made for a fault are survived without it", arguments: Drill.allCases)
    func drills(_ drill: Drill) async {
        for report in await aside({ (0..<4).map { Simulation.drill(drill, seed: $0) } }) {
            #expect(report.breaches.map(\.text) == [], "seed \(report.seed)")
            #expect(report.admitted > 0)
        }
    }

    @Test("four instances that race for a record whose answers are late decide soon, and refuse whom they should")
    func crowd() async {
        for crowd in await aside({ (0..<2).map { Crowd(seed: $0, seconds: 24) } }) {
            #expect(crowd.breaches.map(\.text) == [])
            for row in crowd.rows where row.isGreedy {
                #expect(row.admitted >= crowd.seconds / row.window * row.bound * 96 / 100, "\(row.name)")
                #expect(row.quantile(0.9) <= 450_000, "\(row.name): \(row.quantile(0.9)) us")
            }
            for row in crowd.rows where !row.isGreedy {
                #expect(row.refused * 200 <= row.admitted, "\(row.name): \(row.refused) of \(row.admitted)")
                #expect(row.quantile(0.9) <= 450_000, "\(row.name): \(row.quantile(0.9)) us")
            }
        }
    }

    @Test("each day of the calendar admits N, with clocks apart at midnight, and responses that end after it")
    func midnights() async {
        for run in await aside({ (0..<2).map { Midnights(seed: $0) } }) {
            #expect(run.breaches.map(\.text) == [])
            for row in run.rows {
                #expect(row.most <= row.bound && row.used * 100 >= row.bound * 97, "\(row)")
            }
        }
        let planted = await aside { Midnights(seed: 0, plant: .periodSlides) }
        #expect(planted.rows.contains { $0.most > $0.bound } || !planted.breaches.isEmpty)
    }

    @Test("instances that begin to write a record at once refuse nobody who keeps to the limit")
    func crowdAtStart() async {
        for crowd in await aside({ (30..<38).map { Crowd(seed: $0, seconds: 3) } }) {
            for row in crowd.rows where !row.isGreedy { #expect(row.refused == 0, "\(row.name)") }
        }
    }

    @Test("an answer that comes after its bucket is not used")
    func lateAnswer() {
        #expect(Simulation.lateAnswer(plant: nil).breaches.map(\.text) == [])
        #expect(Simulation.lateAnswer(plant: .lateAnswer).breaches.contains { $0.promise == "L1" })
    }

    @Test("a turn whose room is still taken when it comes is not used")
    func turnUnchecked() {
        let correct = Simulation.turnUnchecked(plant: nil)
        #expect(correct.breaches.map(\.text) == [] && correct.admitted == 30)
        #expect(Simulation.turnUnchecked(plant: .turnUnchecked).breaches.contains { $0.promise == "L1" })
    }

    @Test("requests that wait at sixteen instances are served in their order, each turn in time, and nothing is unused")
    func waitingCrowd() async {
        let crowd = await aside { WaitingCrowd(seed: 0, windows: 10) }
        #expect(crowd.breaches.map(\.text) == [])
        #expect(crowd.admitted * 100 >= crowd.windows * crowd.bound * 98 && crowd.fullest <= crowd.bound)
        #expect(crowd.refused == 0 && crowd.moved == 0 && crowd.passed == 0)
    }

    @Test("requests that wait for two limits at two servers get their turns, also while these move up")
    func crowdOfTwoLimits() async {
        let crowd = await aside { WaitingCrowd(seed: 8, bound: 20, windows: 10, countsTokens: true) }
        #expect(crowd.breaches.map(\.text) == [] && crowd.refused == 0 && crowd.moved == 0)
        #expect(crowd.admitted * 100 >= crowd.windows * crowd.bound * 98 && crowd.fullest <= crowd.bound)
    }

    @Test("what was given back is not given back again where the answer was lost")
    func giveBackRepeated() {
        #expect(Simulation.giveBackRepeated(plant: nil).breaches.map(\.text) == [])
        #expect(Simulation.giveBackRepeated(plant: .giveBackRepeated).breaches.contains { $0.promise == "L1" })
    }

    @Test("a version is good for the connection it was read through only")
    func versionKept() throws {
        let correct = try #require(Simulation.versionKept(plant: nil))
        #expect(correct.breaches.map(\.text) == [])
        let unsound = try #require(Simulation.versionKept(plant: .versionKept))
        #expect(unsound.breaches.contains { $0.promise == "L7" })
    }

    @Test("sixteen instances that race while answers are late never admit more than the limit")
    func crowdOfSixteen() async {
        let (correct, unsound) = await aside {
            let crowds = [nil, Plant.leftForgotten].map {
                Crowd(seed: 165, instances: 16, seconds: 12, .crowded, plant: $0)
            }
            return (crowds[0], crowds[1])
        }
        #expect(correct.breaches.map(\.text) == [])
        #expect(unsound.breaches.contains { $0.promise == "L1" })
    }

    @Test("what an instance knew of lost records is there when each has been replaced, and nothing is charged twice")
    func losses() async {
        let runs = await aside { (0..<100).map { Losses(seed: $0) } }
        for (seed, run) in runs.enumerated() { #expect(run.breaches == [] && run.used > 0, "seed \(seed)") }
    }

    @Test(
        "faults in putting back lost records are found",
        arguments: [Plant.lossUnnoticed, .originForgotten, .versionsFall, .noJoin, .resetUnheard]
    )
    func plantedLosses(_ plant: Plant) async {
        let found = await aside { (0..<100).first { !Losses(seed: $0, plant: plant).breaches.isEmpty } }
        #expect(found != nil)
    }

    @Test("what writes did whose answer came too late is known afterwards: what stays counted is what was used")
    func hiccups() async {
        let runs = await aside { (0..<40).map { Hiccups(seed: $0) } }
        for (seed, run) in runs.enumerated() { #expect(run.breaches == [] && run.used > 0, "seed \(seed)") }
    }

    @Test("faults in recognizing such writes are found", arguments: [Plant.marksDropped, .marksOfLosers])
    func plantedHiccups(_ plant: Plant) async {
        let found = await aside { (0..<40).first { !Hiccups(seed: $0, plant: plant).breaches.isEmpty } }
        #expect(found != nil)
    }

    @Test("a server that is too small for its records is not filled again and again")
    func fullServer() async {
        let (correct, unsound) = await aside {
            (Losses.writesOfFullServer(seed: 1), Losses.writesOfFullServer(seed: 1, plant: .evictionIsLoss))
        }
        // Each record is written twice when it is used, and again in two slow sweeps at most.
        #expect(correct > 2 * 40 && correct <= 5 * 40, "\(correct)")
        #expect(unsound > 40 * 40, "\(unsound)")
    }

    @Test("a lease ends when all clocks are set back")
    func leaseAhead() { #expect(!Simulation.leaseAhead().breaches.contains { $0.promise == "L1" }) }

    @Test("what a caller owes is not forgotten while others crowd in")
    func owedInCrowd() { #expect(Simulation.owedInCrowd() == 600) }

    @Test("a relay alone that crashes loses what it admitted in the last two seconds, and refunds nothing")
    func loneRelay() async {
        let runs = await aside { (0..<60).map { LoneRelay.run(seed: $0) } }
        for (seed, run) in runs.enumerated() { #expect(run.breaches.map(\.text) == [], "seed \(seed)") }
        for sum in [\LoneRelay.Report.crashes, \.admitted, \.refused, \.lost] {
            #expect(runs.reduce(0) { $0 + $1[keyPath: sum] } > 100)
        }
    }

    @Test("faults in saving counters are found", arguments: LoneRelay.Plant.allCases)
    func loneRelayFaults(_ plant: LoneRelay.Plant) async {
        let found = await aside { (0..<100).first { !LoneRelay.run(seed: $0, plant: plant).breaches.isEmpty } }
        #expect(found != nil)
    }
}
