import Limits
import Testing

@Suite struct QuotaTests {
    @Test(
        "quotas as they are written",
        arguments: [
            ("60/minute", Quota(60, per: .minute), "60 per minute"),
            ("60 per minute", Quota(60, per: .minute), "60 per minute"),
            (" 60 Requests / Minute ", Quota(60, per: .minute), "60 per minute"),
            ("1 request/s", Quota(1, per: .second), "1 per second"),
            ("5 concurrent", Quota(5, .concurrent, per: .second), "5 concurrent"),
            ("100000 tokens/minute", Quota(100_000, .tokens, per: .minute), "100000 per minute"),
            ("3.50 usd/day", Quota(3_500_000_000, .usd, per: .day), "3.50 per day"),
            ("0.000000001 usd per week", Quota(1, .usd, per: .week), "0.000000001 per week"),
            ("3usd/day", Quota(3_000_000_000, .usd, per: .day), "3.00 per day"),
            ("50 per 10 seconds", Quota(50, per: .second, times: 10), "50 per 10 seconds"),
            ("100 per 5 minutes", Quota(100, per: .minute, times: 5), "100 per 5 minutes"),
            ("20/30s", Quota(20, per: .second, times: 30), "20 per 30 seconds"),
            ("7 credits/366 days", Quota(7, .credits, per: .day, times: 366), "7 per 366 days"),
            ("9 images/2w", Quota(9, .images, per: .week, times: 2), "9 per 2 weeks"),
        ]
    )
    func reads(text: String, quota: Quota, shown: String) throws {
        #expect(try Quota.list(text) == [quota])
        #expect(quota.text == shown)
    }

    @Test func readsLists() throws {
        #expect(try Quota.list("60/minute;2000/day") == [Quota(60, per: .minute), Quota(2_000, per: .day)])
        #expect(try Quota.list("60/minute; 1000 tokens/minute ;5 concurrent").count == 3)
        #expect(try Quota.list(" OFF ").isEmpty)
    }

    @Test(
        "mistakes are named",
        arguments: [
            ("0/minute", "\"0/minute\": the number must be at least 1"),
            ("0.0 usd/day", "\"0.0 usd/day\": the number must be at least 0.000000001"),
            ("", "\"\": a limit begins with a number, as in 60/minute"),
            ("60/minute;", "\"\": a limit begins with a number, as in 60/minute"),
            ("-1/minute", "\"-1/minute\": a limit begins with a number, as in 60/minute"),
            ("60", "\"60\": no window, as in 60/minute"),
            ("60 tokens", "\"60 tokens\": no window, as in 60 tokens/minute"),
            ("5 usd", "\"5 usd\": no window, as in 5 usd/day"),
            ("$5/day", "\"$5/day\": a limit begins with a number, as in 60/minute; or 5 usd/day"),
            ("1.5/minute", "\"1.5/minute\": only usd limits can have decimals"),
            ("1.2.3 usd/day", "\"1.2.3 usd/day\": \"1.2.3\" is not a number"),
            ("1.0000000001 usd/day", "\"1.0000000001 usd/day\": a usd limit can have at most 9 decimals"),
            (
                "60 apples/minute",
                "\"60 apples/minute\": \"apples\" is not a unit; use one of "
                    + "(requests, tokens, images, usd, credits, concurrent)"
            ),
            (
                "60/fortnight",
                "\"60/fortnight\": the window must be month, calendar-day, or second, minute, hour, day or week, optionally with a number, as in 5 minutes"
            ),
            ("60/0 minutes", "\"60/0 minutes\": \"0\" is not a number of seconds, minutes, hours, days or weeks"),
            ("60/367 days", "\"60/367 days\": the maximum window is 366 days"),
            ("5 concurrent/minute", "\"5 concurrent/minute\": a limit of concurrent requests must not have a window"),
            ("5/minute;6/60s", "\"6/60s\": the window already has a limit of this unit; remove one of them"),
            ("99999999999999999/day", "\"99999999999999999/day\": the number must be at most 10000000000000000"),
            ("10000001 usd/day", "\"10000001 usd/day\": the number must be at most 10000000.00"),
            ("off;5/minute", "\"off\": a limit begins with a number, as in 60/minute"),
        ]
    )
    func mistakes(text: String, message: String) {
        do throws(Quota.Mistake) {
            Issue.record("\(try Quota.list(text)) from \(text)")
        } catch {
            #expect(error.text == message)
        }
    }

    @Test func equalLimitsHaveEqualIds() {
        let limit = Limit(.caller(.chat), Quota(60, per: .minute))
        #expect(limit.id == "chat.requests.60" && limit == Limit(.caller(.chat), Quota(50, per: .minute)))
        #expect(limit == Limit(.caller(.chat), Quota(60, per: .second, times: 60)))
        #expect(limit != Limit(.key(.chat), Quota(60, per: .minute)))
        #expect(limit != Limit(.caller(.chat), Quota(60, .images, per: .minute)))
        #expect(Limit(.key(nil), Quota(5, .concurrent, per: .second)).id == "key.concurrent.0")
    }
}
