import Glibc
import Limits

// Measures the cost of a decision in memory on one core, including the figures for headers. Prints JSON: microseconds
// by case.

let rounds = 7
let decisions = 200_000

/// Returns the median over rounds of this thread's processor time for one decision, in microseconds.
func microseconds(_ charges: [[LimitCharge]], isAdmitted: Bool) -> Double {
    let limiter = Limiter(store: nil)
    var times: [Double] = []
    for round in 0...rounds {
        let begun = processorSeconds()
        for number in 0..<decisions {
            guard let reservation = limiter.reserveInMemory(charges[number % charges.count]) else {
                preconditionFailure("counted elsewhere")
            }
            let isExpected = reservation.decision.isAdmitted == isAdmitted || round == 0
            precondition(isExpected, "decided otherwise")
        }
        if round > 0 { times.append((processorSeconds() - begun) / Double(decisions) * 1_000_000) }
    }
    limiter.stop()
    return times.sorted()[rounds / 2]
}

func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
}

func callers(_ count: Int, _ quotas: Quota...) -> [[LimitCharge]] {
    let limits = quotas.map { Limit(.caller(.chat), $0) }
    return (0..<count).map { caller in limits.map { LimitCharge($0, .address("caller \(caller)")) } }
}

let plenty = Quota(1_000_000_000, per: .minute)
let cases = [
    ("one caller", microseconds(callers(1, plenty), isAdmitted: true)),
    ("10,000 callers", microseconds(callers(10_000, plenty), isAdmitted: true)),
    ("two limits", microseconds(callers(1, plenty, Quota(1_000_000_000, per: .day)), isAdmitted: true)),
    ("refused", microseconds(callers(1, Quota(60, per: .day)), isAdmitted: false)),
]
print("{\(cases.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}")
