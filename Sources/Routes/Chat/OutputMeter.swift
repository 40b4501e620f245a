import Engine
import Limits
import Shared
import Upstream

/// The meter of a stream under limits: counts its output, reserves more in time, and says when nothing is left.
final class OutputMeter: OnLoop, @unchecked Sendable {
    private let billing: Billing
    private let loop: EventLoop
    /// The average bytes of a thousand tokens of the model's output; nil if unknown.
    private let bytesPerThousand: Int?
    private var allowance: Allowance
    /// The limit that pays least.
    private(set) var limit: Limit
    /// The draw that has begun and not ended; nil if there is none.
    private var drawing: Task<Void, Never>?
    private var isRefused = false
    /// The time since which draws get no decision, and the time of the next one; nil if they get one.
    private var undecided: (since: LoopTime, next: LoopTime)?
    /// The number of delivered bytes at which the meter must be asked again.
    private(set) var nextBytes = 0

    private static let usualBytesPerThousand = 4_000
    private static let mostOnTheirWay = 1_000
    private static let patienceNanoseconds: UInt64 = 30_000_000_000

    /// Creates the meter; nil if no limit needs one.
    init?(_ billing: Billing, on loop: EventLoop) {
        guard let reservation = billing.usageReservation, let output = reservation.output, output.isSeen,
            let paid = billing.paidOutput
        else { return nil }
        self.billing = billing
        billing.beginRound()
        self.loop = loop
        bytesPerThousand = reservation.averages.means(of: reservation.model).bytesPerThousand
        limit = paid.limit
        allowance = Allowance(reserved: paid.reserved, spare: paid.spare, bound: billing.lowered?.ofAll ?? output.asked)
        nextBytes = bytes(of: allowance.drawsAt)
    }

    private func bytes(of tokens: Int) -> Int {
        tokens.multipliedReportingOverflow(by: bytesPerThousand ?? Self.usualBytesPerThousand).partialValue / 1_000
    }

    /// Returns whether the stream must be asked about before `nextBytes`, because the vendor reported more.
    func isBehind(_ reported: Int?) -> Bool { (reported ?? 0) > allowance.counted }

    /// Returns whether the response must end now. Begins to reserve more if that is needed.
    /// - Parameter tokens: returns the relay's own count of its tokens.
    func isOver(_ bytes: Int, pieceBytes: Int, isExact: Bool, _ tokens: () -> Int, reported: Int?) async -> Bool {
        var counted = bytesPerThousand.map { bytes * 1_000 / max(1, $0) } ?? tokens()
        // By the vocabulary, if it is known, only near the end of what is reserved.
        if isExact, bytesPerThousand != nil, counted >= allowance.drawsAt / 2 { counted = tokens() }
        allowance.counted = max(allowance.counted, counted, reported ?? 0)
        // One piece may have arrived unseen, and the vendor writes another one until it sees the cancellation.
        allowance.onTheirWay = min(2 * pieceBytes * allowance.counted / max(1, bytes), Self.mostOnTheirWay)
        while true {
            switch allowance.step {
            case .goOn: break
            case .draw(let tokens):
                if let undecided, loop.now < undecided.next { break }
                if drawing == nil { draw(tokens) }
                guard allowance.counted >= allowance.endsAt, let drawing else { break }
                await drawing.value
                if undecided == nil { continue }
            case .end:
                if isRefused {
                    // The units that were refused before may be free now.
                    (isRefused, allowance.free) = (false, nil)
                    continue
                }
                if limit.quota.isBudget { return true }
                nextBytes = .max
                return false
            }
            var target = allowance.counted < allowance.drawsAt ? allowance.drawsAt : allowance.endsAt
            if allowance.counted >= target { target = allowance.counted + Allowance.leastDraw }
            nextBytes = bytes + max(1, self.bytes(of: target - allowance.counted))
            return false
        }
    }

    /// Reserves more tokens in the background.
    private func draw(_ tokens: Int) {
        drawing = Task(executorPreference: loop) { [self] in
            let isLate = allowance.counted >= allowance.endsAt
            let outcome = await billing.draw(tokens)
            drawing = nil
            switch outcome {
            case .drawn:
                (undecided, allowance.free) = (nil, nil)
                if let paid = billing.paidOutputOfRound {
                    (allowance.reserved, allowance.spare, limit) = (paid.reserved, paid.spare, paid.limit)
                }
            case .refused: (undecided, allowance.free, isRefused) = (nil, 0, !isLate)
            case .unavailable:
                let since = undecided?.since ?? loop.now
                undecided = (since, loop.now + 1_000_000_000)
                if loop.now.nanoseconds(since: since) > Self.patienceNanoseconds {
                    (undecided, allowance.free) = (nil, 0)
                }
            }
        }
    }
}
