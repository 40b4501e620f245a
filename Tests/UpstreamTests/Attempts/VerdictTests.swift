import Shared
import Testing

@testable import Upstream

@Suite struct VerdictTests {
    /// The possibilities left after a failed call, in the order of the verdicts in a row of the table.
    private static let states: [RemainingChoices] = [
        state { _ in },
        state { $0.hasNextKey = false },
        state { ($0.hasNextKey, $0.hasRetry) = (false, false) },
        state { ($0.hasNextKey, $0.hasRetry, $0.hasNextCandidate) = (false, false, false) },
        state { $0.isLast = true },
        state { ($0.isCallersKey, $0.hasNextKey) = (true, false) },
    ]

    private static func state(_ change: (inout RemainingChoices) -> Void) -> RemainingChoices {
        var state = RemainingChoices(hasNextKey: true, hasRetry: true, hasNextCandidate: true)
        change(&state)
        return state
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let error: UpstreamError
        /// The verdicts if everything is left, without a next key, without a retry, too, without a next candidate, too,
        /// after the last allowed call, and with the caller's own key.
        let verdicts: String

        init(
            _ name: String,
            _ kind: UpstreamError.Kind,
            _ verdicts: String,
            _ change: (inout UpstreamError) -> Void = { _ in }
        ) {
            var error = UpstreamError(kind, cause: "scripted")
            change(&error)
            (self.name, self.error, self.verdicts) = (name, error, verdicts)
        }

        var testDescription: String { name }
    }

    private static let refusal = APIError(400, "no tools", type: "invalid_request_error", code: "unsupported")

    private static let rows: [Row] = [
        Row("the vendor failed", .failed, "same same candidate stop stop same"),
        Row("no answer in time", .timedOut, "same same candidate stop stop same"),
        Row("overloaded", .unavailable, "same same candidate stop stop same"),
        Row("overloaded for a told time", .unavailable, "candidate candidate candidate stop stop candidate") {
            $0.retryAfterSeconds = 5
        },
        Row("the model needs a pause", .failed, "candidate candidate candidate stop stop candidate") {
            $0.modelCooldownSeconds = 5
        },
        Row("the vendor does not know the model", .unknownModel, "candidate candidate candidate stop stop candidate"),
        Row("the key is rejected", .badKey, "key candidate candidate stop stop report"),
        Row("the key may not use the model", .forbidden, "key candidate candidate stop stop report"),
        Row("no credit", .outOfCredit, "key candidate candidate stop stop report"),
        Row("a rate limit", .rateLimited, "key candidate candidate stop stop report"),
        Row("the request is invalid", .badRequest, "report report report report report report"),
        Row("the client left", .cancelled, "report report report report report report"),
        Row("the relay has no memory", .unavailable, "report report report report report report") { $0.recovery = [] },
        Row("the request cannot be sent again", .failed, "stop stop stop stop stop stop") { $0.isFinal = true },
        Row("the same for a rejected key", .badKey, "stop stop stop stop stop report") { $0.isFinal = true },
        Row(
            "the candidate cannot serve the request",
            .badRequest,
            "candidate candidate candidate stop candidate candidate"
        ) {
            ($0.refusal, $0.recovery) = (refusal, .nextCandidate)
        },
        Row("the key lacks capacity", .badRequest, "key candidate candidate stop stop candidate") {
            ($0.refusal, $0.recovery) = (refusal, [.nextKey, .nextCandidate])
        },
    ]

    @Test("each failure has its verdict in each state", arguments: rows)
    func table(_ row: Row) {
        let verdicts = Self.states.map { state in
            switch row.error.verdict(state) {
            case .sameKey: "same"
            case .nextKey: "key"
            case .nextCandidate: "candidate"
            case .giveUp: "stop"
            case .report: "report"
            }
        }
        #expect(verdicts.joined(separator: " ") == row.verdicts)
    }
}
