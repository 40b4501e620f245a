import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

@Suite struct RequestTimesTests {
    @Test("percentiles of the buckets are near those of the times", arguments: [120.0, 900, 4_000, 25_000])
    func percentiles(median: Double) throws {
        var random = SeededNumbers(UInt64(median))
        var times = RequestTimes()
        let given = (0..<2_000).map { _ -> Int in
            // The sum of twelve numbers is nearly normally distributed.
            let normal = (0..<12).reduce(-6.0) { sum, _ in sum + Double(random.below(1_000)) / 1_000 }
            return Int(median * exp(0.8 * normal))
        }
        .sorted()
        for time in given {
            var record = UsageRecord(at: 0, .request, requestID: "r", endpoint: nil, caller: nil, model: nil)
            (record.durationMilliseconds, record.firstByteMilliseconds) = (time, time / 2)
            times.add(record, 1)
        }
        let (durations, firstBytes) = (try #require(times.durations), try #require(times.firstBytes))
        for (found, exact) in [
            (durations.p50, given[1_000]), (durations.p95, given[1_900]), (firstBytes.p50, given[1_000] / 2),
            (firstBytes.p95, given[1_900] / 2),
        ] {
            #expect(abs(Double(found - exact)) <= 0.1 * Double(exact), "\(found) instead of \(exact)")
        }
    }
}
