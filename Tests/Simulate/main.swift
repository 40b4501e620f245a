import Glibc
import Simulation

// simulate [SEEDS]: runs so many seeds (300), from FIRST_SEED (0), each STRIDE (1) apart, and prints a summary. A
// seed's remainder by the number of kinds is its kind. SEED=n runs one seed and prints all its events. PLANT=name puts
// a fault in. DRILL=name runs ten seeds of a schedule made for one fault, or SEED=n of it. CROWD=4 lets so many
// instances race while responses are late, in SEEDS (10) runs. WAITING=seed lets clients wait at 16 instances,
// with TOKENS=1 for two limits; TRACE=1 prints all events.
// LOSSES=seed is a run in which records are lost. Exit status 1: a promise was broken.

func variable(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

let plant = getenv("PLANT").flatMap { Plant(rawValue: String(cString: $0)) }

func describe(_ report: Report) {
    for breach in report.breaches {
        print("SEED=\(report.seed) (\(report.kind)) breaks \(breach.promise): \(breach.text)")
    }
}

if let name = getenv("DRILL").map({ String(cString: $0) }), let drill = Drill.allCases.first(where: { "\($0)" == name })
{
    if let seed = variable("SEED") {
        describe(Simulation.drill(drill, seed: seed, plant: plant, trace: { print($0) }))
        exit(0)
    }
    var found = 0
    for seed in 0..<10 {
        let report = Simulation.drill(drill, seed: seed, plant: plant)
        describe(report)
        if !report.breaches.isEmpty { found += 1 }
        if seed == 0 { print(report.decisions, report.admitted, report.calls) }
    }
    print("\(found) of 10")
    exit(0)
}

if let seed = variable("LOSSES") {
    let run = Losses(seed: seed, plant: plant, trace: { print($0) })
    print(run.breaches.joined(separator: "\n"))
    exit(run.breaches.isEmpty ? 0 : 1)
}

if let seed = variable("HICCUPS") {
    let run = Hiccups(seed: seed, plant: plant, trace: { print($0) })
    print(run.breaches.joined(separator: "\n"))
    exit(run.breaches.isEmpty ? 0 : 1)
}

if let seed = variable("WAITING") {
    let crowd = WaitingCrowd(
        seed: seed,
        bound: variable("BOUND") ?? 40,
        windows: variable("WINDOWS") ?? 20,
        isSlow: variable("SLOW") == 1,
        countsTokens: variable("TOKENS") == 1,
        plant: plant,
        trace: variable("TRACE") == 1 ? { print($0) } : nil
    )
    print(crowd.text)
    for breach in crowd.breaches.prefix(10) { print(breach.text) }
    exit(crowd.breaches.isEmpty ? 0 : 1)
}

if let instances = variable("CROWD") {
    let first = variable("SEED") ?? 0
    let manner = getenv("MANNER").flatMap { Crowd.Manner(rawValue: String(cString: $0)) } ?? .usual
    let seconds = variable("SECONDS") ?? 48
    let count = variable("SEED") == nil ? CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10 : 1
    let all = await withTaskGroup(of: Crowd.self) { group in
        for seed in first..<first + count {
            group.addTask { Crowd(seed: seed, instances: instances, seconds: seconds, manner, plant: plant) }
        }
        var all: Crowd?
        for await one in group {
            if all == nil { all = one } else { all?.add(one) }
        }
        return all
    }
    print(all?.text ?? "")
    for breach in all?.breaches.prefix(10) ?? [] { print(breach.text) }
    exit(0)
}

if let seed = variable("SEED") {
    let report = Simulation(seed: seed, size: variable("SIZE") ?? 1, plant: plant, trace: { print($0) }).run()
    print(report)
    describe(report)
    exit(report.breaches.isEmpty ? 0 : 1)
}

let seeds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 300
let first = variable("FIRST_SEED") ?? 0
let stride = max(1, variable("STRIDE") ?? 1)
let clock = ContinuousClock()
let began = clock.now
var summary = Summary()
await withTaskGroup(of: Report.self) { group in
    var next = first
    for _ in 0..<min(seeds, 2) {
        let seed = next
        group.addTask { Simulation(seed: seed, size: variable("SIZE") ?? 1, plant: plant).run() }
        next += stride
    }
    while let report = await group.next() {
        summary.add(report)
        describe(report)
        if next < first + seeds * stride {
            let seed = next
            group.addTask { Simulation(seed: seed, size: variable("SIZE") ?? 1, plant: plant).run() }
            next += stride
        }
    }
}
let seconds = Double((clock.now - began) / .milliseconds(1)) / 1_000
print(summary.text(seconds: seconds))
exit(summary.breaches == 0 ? 0 : 1)
