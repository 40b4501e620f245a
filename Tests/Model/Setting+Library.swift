@testable import Limits

/// The searches. A window is two seconds and two buckets long. Actions happen when a bucket begins, which is still in
/// the grace time of the last one, and when it ends. With `everywhere` they also happen when the grace time ends.
extension Setting {
    private static let bucket = 1_000_000
    private static let ends = [0, bucket - 1]
    private static let everywhere = [0, bucket / 8 - 1, bucket / 8, bucket - 1]
    /// A duration that is longer than any search.
    private static let never = 60_000_000

    private static func window(_ name: String, _ quota: Quota, asks: Int, buckets: Int) -> Setting {
        Setting(
            name,
            clocks: [0, bucket],
            [quota],
            buckets: buckets,
            offsets: ends,
            asks: asks,
            timeoutMicroseconds: never
        )
    }

    private static func quota(_ count: Int, _ unit: Quota.Unit = .images) -> Quota {
        Quota(count, unit, per: .second, times: 2)
    }

    /// Returns a search in which nothing fails and responses come at any time: clocks, races, late responses.
    private static func races(_ count: Int, asks: Int, buckets: Int = 4) -> Setting {
        window("races", quota(count), asks: asks, buckets: buckets)
    }

    /// Returns a search with enough requests for an instance to write without reading, and for another one that has
    /// written meanwhile.
    private static func alone(_ count: Int, asks: Int, buckets: Int, failures: Int = 0, losses: Int = 0) -> Setting {
        var setting = window("alone", quota(count), asks: asks, buckets: buckets)
        setting.failures = failures
        setting.losses = losses
        return setting
    }

    /// Returns a search in which timers fire but the store responds in time, so that nothing may be decided beside the
    /// record.
    private static func timers(_ count: Int, asks: Int) -> Setting {
        var setting = window("timers", quota(count), asks: asks, buckets: 4)
        setting.timeoutMicroseconds = bucket
        setting.rule = .share
        setting.longestCall = bucket - 1
        return setting
    }

    /// Returns a search with twenty buckets, so that units may be used for longer than a bucket after their own. The
    /// first calls of two instances end just in time for that. Later calls last so long that the move is not done when
    /// the bucket leaves the record: at 2.2 s, when units used at 0.22 s still count.
    private static func lateMoves(_ count: Int, asks: Int) -> Setting {
        var setting = window("late moves", quota(count), asks: asks, buckets: 0)
        setting.perWindow = 20
        setting.clocks = [0, 0]
        setting.moments = [90_000, 220_000, 1_000_000, 2_205_000]
        setting.seenCall = bucket / 8
        return setting
    }

    /// Returns a search in which calls get no response and writes are carried out late.
    private static func unanswered(_ count: Int, asks: Int, failures: Int, buckets: Int) -> Setting {
        var setting = window("unanswered", quota(count), asks: asks, buckets: buckets)
        setting.failures = failures
        return setting
    }

    /// Returns a search in which a record is lost and writes come twice.
    private static func lost(_ count: Int, asks: Int, doubles: Int, buckets: Int) -> Setting {
        var setting = window(doubles == 0 ? "lost" : "lost and doubled", quota(count), asks: asks, buckets: buckets)
        setting.losses = 1
        setting.doubles = doubles
        return setting
    }

    /// Returns a search with two limits for one request.
    private static func both(_ count: Int, _ other: Int, asks: Int, buckets: Int, failures: Int = 0) -> Setting {
        var setting = window("both", quota(count), asks: asks, buckets: buckets)
        setting.quotas.append(quota(other))
        setting.clocks = [0, 0]
        setting.failures = failures
        return setting
    }

    /// Returns a search in which requests use less than they reserved.
    private static func settled(asks: Int, buckets: Int, failures: Int = 0) -> Setting {
        var setting = window("settled", quota(2, .tokens), asks: asks, buckets: buckets)
        setting.units = 2
        setting.settlements = [1]
        setting.failures = failures
        return setting
    }

    /// Returns a search in which requests without room wait for their turn, which comes four buckets after a use.
    private static func turns(_ count: Int, asks: Int, failures: Int = 0) -> Setting {
        var setting = window("turns", quota(count), asks: asks, buckets: 0)
        let grace = bucket / 8 - 1
        setting.moments = [
            bucket - 1, bucket + grace, 2 * bucket - 1, 3 * bucket, 4 * bucket, 4 * bucket + grace, 6 * bucket,
        ]
        // Units that were used in the grace time are moved by calls that take no longer than this.
        setting.longestCall = bucket / 4
        setting.patience = 6 * bucket
        setting.failures = failures
        return setting
    }

    /// Returns a search with a concurrency limit. Actions happen every third of an entry's time.
    private static func slots(_ name: String, asks: Int, waiting: Int, buckets: Int) -> Setting {
        var setting = Setting(
            name,
            clocks: [0, 2_500_000],
            [Quota(1, .concurrent, per: .second)],
            buckets: buckets,
            offsets: [0],
            asks: asks,
            timeoutMicroseconds: never
        )
        setting.slotMicroseconds = 6_000_000
        setting.settlements = [0]
        setting.waiting = waiting
        return setting
    }

    /// Returns a search in which an instance dies, so that its slots are free when its entry has ended.
    private static func slotsOfDead(asks: Int, waiting: Int, buckets: Int) -> Setting {
        var setting = slots("slots of the dead", asks: asks, waiting: waiting, buckets: buckets)
        setting.clocks = [0, 0]
        setting.settlements = []
        setting.deaths = 1
        return setting
    }

    private static func slotsUnanswered(asks: Int, waiting: Int, buckets: Int) -> Setting {
        var setting = slots("slots unanswered", asks: asks, waiting: waiting, buckets: buckets)
        setting.failures = 1
        return setting
    }

    /// The searches that tests have time for. Each is complete.
    package static let few: [Setting] = [
        .races(1, asks: 2),
        .lateMoves(1, asks: 2),
        .alone(3, asks: 4, buckets: 1),
        .timers(1, asks: 2),
        .unanswered(1, asks: 2, failures: 1, buckets: 2),
        .lost(1, asks: 2, doubles: 0, buckets: 2),
        .lost(1, asks: 2, doubles: 1, buckets: 1),
        .both(1, 2, asks: 2, buckets: 2),
        .settled(asks: 2, buckets: 2),
        .turns(1, asks: 2),
        .slots("slots", asks: 2, waiting: 2, buckets: 2),
        .slotsOfDead(asks: 2, waiting: 1, buckets: 4),
        .slotsUnanswered(asks: 1, waiting: 1, buckets: 3),
    ]

    /// The searches with larger bounds: three instances, three buckets, N up to 3, more moments, requests and faults.
    package static var many: [Setting] {
        var fine = races(1, asks: 3)
        fine.offsets = everywhere
        fine.splitsReads = true
        // Units that were used in the grace time are moved by calls that take no longer than this.
        fine.longestCall = bucket / 4
        var three = races(2, asks: 3, buckets: 5)
        three.clocks = [0, bucket, bucket / 2]
        var thirds = Setting(
            "three buckets",
            clocks: [0, bucket],
            [Quota(3, .images, per: .second, times: 3)],
            buckets: 5,
            offsets: ends,
            asks: 4,
            timeoutMicroseconds: never
        )
        thirds.perWindow = 3
        return [
            fine, three, thirds, .lateMoves(2, asks: 3), .alone(3, asks: 4, buckets: 3),
            .alone(3, asks: 5, buckets: 2, failures: 1), .alone(3, asks: 4, buckets: 2, losses: 1), .timers(2, asks: 3),
            .unanswered(1, asks: 3, failures: 2, buckets: 4),
            .lost(1, asks: 3, doubles: 1, buckets: 4), .lost(2, asks: 3, doubles: 1, buckets: 4),
            .both(1, 2, asks: 3, buckets: 4), .both(1, 1, asks: 2, buckets: 3, failures: 1),
            .settled(asks: 3, buckets: 4), .settled(asks: 2, buckets: 3, failures: 1),
            .turns(1, asks: 3), .turns(2, asks: 3, failures: 1),
            .slots("slots", asks: 3, waiting: 2, buckets: 5), .slotsOfDead(asks: 3, waiting: 2, buckets: 5),
            .slotsUnanswered(asks: 2, waiting: 2, buckets: 4),
        ]
    }

    /// Returns the search in which a fault shows.
    package static func showing(_ fault: Fault) -> Setting {
        switch fault {
        case .plainWrite: races(1, asks: 2)
        case .bucketLess, .lateAnswer: races(1, asks: 2)
        case .noJoin: lost(1, asks: 3, doubles: 0, buckets: 1)
        case .unansweredRepeated: unanswered(1, asks: 2, failures: 1, buckets: 2)
        case .leftForgotten: lateMoves(1, asks: 2)
        case .settleLost: settled(asks: 1, buckets: 2)
        }
    }
}
