import Engine
import Shared
import Testing

@testable import Limits

@Suite struct LimitHeadersTests {
    let minute = Limit(.caller(.chat), Quota(60, per: .minute))
    let tokens = Limit(.caller(.chat), Quota(100_000, .tokens, per: .minute))

    private func lines(_ decision: Decision) -> [String] {
        var fields = ByteBuffer()
        decision.appendLimits(to: &fields)
        decision.appendRetry(to: &fields)
        #expect(fields.isEmpty || fields.text.hasSuffix("\r\n"))
        return fields.text.split(separator: "\r\n").map { String($0) }
    }

    private func refused(_ limit: Limit, _ microseconds: Int?, units: Int = 1) -> Decision {
        Decision(.refused(.init(limit: limit, requested: units, retryAfterMicroseconds: microseconds)))
    }

    @Test("an admitted request's headers")
    func admitted() {
        var decision = Decision(.admitted)
        #expect(lines(decision).isEmpty)
        decision.record(.init(limit: minute, remaining: 12, resetMicroseconds: 30_400_000))
        #expect(
            lines(decision) == [
                "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 12",
                "x-ratelimit-reset-requests: 31s", "RateLimit-Policy: \"minute\";q=60;w=60",
                "RateLimit: \"minute\";r=12;t=31",
            ]
        )
        decision.record(.init(limit: tokens, remaining: 0, resetMicroseconds: 11_001))
        #expect(
            lines(decision) == [
                "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 12",
                "x-ratelimit-reset-requests: 31s", "x-ratelimit-limit-tokens: 100000",
                "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 12ms",
                "RateLimit-Policy: \"minute\";q=60;w=60, \"minute-tokens\";q=100000;w=60",
                "RateLimit: \"minute\";r=12;t=31, \"minute-tokens\";r=0;t=1",
            ]
        )
    }

    @Test("the tightest limit of a kind is shown, and money and slots are not")
    func tightest() {
        var decision = Decision(.admitted)
        let day = Limit(.caller(.chat), Quota(2_000, per: .day))
        decision.record(.init(limit: minute, remaining: 12, resetMicroseconds: 1))
        decision.record(.init(limit: day, remaining: 9, resetMicroseconds: 1))
        decision.record(.init(limit: minute, remaining: 9, resetMicroseconds: 0))
        decision.record(.init(limit: Limit(.total, Quota(1, .usd, per: .day)), remaining: 0, resetMicroseconds: 1))
        #expect(decision.requests?.limit == day)
        #expect(decision.tokens == nil)
    }

    @Test("a refusal says when to come again")
    func refusal() throws {
        let decision = refused(minute, 11_999_001)
        #expect(lines(decision) == ["Retry-After: 12", "retry-after-ms: 12000"])
        let error = try #require(decision.error)
        #expect(error.status == 429 && "\(error.type)" == "requests" && "\(error.code ?? "")" == "rate_limit_exceeded")
        #expect(error.message == "Rate limit reached for requests: 60 per minute. Please try again in 12s.")
        #expect(error.retryAfterSeconds == 12 && !error.isRetryUseless)
        #expect(lines(refused(minute, 120)) == ["Retry-After: 1", "retry-after-ms: 1"])
        let counted = refused(Limit(.total, Quota(50, per: .second, times: 10)), 500_000)
        #expect(
            counted.error?.message
                == "Rate limit reached for requests: 50 per 10 seconds. Please try again in 500ms. All callers share this limit."
        )
        #expect(Decision(.admitted).error == nil)
    }

    @Test("long waits, budgets and requests too large are not worth a retry")
    func hopeless() throws {
        #expect(lines(refused(minute, 120_000_000)).count == 2)
        #expect(lines(refused(minute, 120_000_001)).last == "x-should-retry: false")
        let large = refused(tokens, nil, units: 128_512)
        #expect(lines(large) == ["x-should-retry: false"])
        let error = try #require(large.error)
        #expect(error.message == "Request too large for tokens: limit 100000 per minute, requested 128512.")
        #expect("\(error.type)" == "tokens" && error.retryAfterSeconds == nil && error.isRetryUseless)
        let budget = refused(Limit(.key(nil), Quota(3_500_000_000, .usd, per: .day)), 1_000_000, units: 190_000_000)
        #expect(lines(budget) == ["Retry-After: 1", "retry-after-ms: 1000", "x-should-retry: false"])
        let spent = try #require(budget.error)
        #expect("\(spent.type)" == "insufficient_quota" && "\(spent.code ?? "")" == "insufficient_quota")
        let words = "The budget of this key, 3.50 usd per day, is used up. 0.19 are free again at "
        #expect(spent.message.hasPrefix(words) && spent.message.hasSuffix(" UTC."))
        let odd = refused(Limit(.key(nil), Quota(3_500_000_000, .usd, per: .day)), 1_000_000, units: 190_000_001)
        #expect(odd.error?.message.contains(" is used up. 0.1901 are free again at ") ?? false)
        #expect(Timestamp.minute(1_795_842_659) == "28 Nov 05:11")
    }

    @Test("where the store is down and the rule says deny")
    func storeDown() throws {
        let decision = Decision(.storeDown)
        let error = try #require(decision.error)
        #expect(error.status == 503 && "\(error.type)" == "server_error" && "\(error.code ?? "")" == "overloaded")
        #expect(lines(decision) == ["Retry-After: 1", "retry-after-ms: 1000"])
    }

    @Test(
        "durations",
        arguments: [
            (0, "0ms"), (1, "1ms"), (12_000, "12ms"), (999_000, "999ms"), (999_001, "1s"), (1_000_000, "1s"),
            (1_000_001, "2s"), (59_000_000, "59s"), (60_000_000, "1m0s"), (360_000_000, "6m0s"),
            (3_599_000_001, "1h0m0s"), (86_400_000_000, "24h0m0s"),
        ]
    )
    func durations(microseconds: Int, text: String) {
        #expect(durationText(microseconds: microseconds) == text)
    }
}
