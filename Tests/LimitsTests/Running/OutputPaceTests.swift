import Testing

@testable import Limits

@Suite struct OutputPaceTests {
    @Test(
        "output that nobody reported: the time beyond the wait, at the pace, and at most what is reserved",
        arguments: [
            (0, 0), (999, 0), (1_000, 0), (1_049, 0), (1_050, 1), (2_000, 20), (6_000, 100), (.max, 100), (.min, 0),
        ]
    )
    func tokens(milliseconds: Int, expected: Int) {
        let pace = OutputPace(waitMilliseconds: 1_000, tokensPerSecond: 20)
        #expect(pace.tokens(after: milliseconds, atMost: 100) == expected)
        #expect(pace.tokens(after: milliseconds, atMost: 0) == 0)
        #expect(pace.tokens(after: milliseconds, atMost: -1) == 0)
    }

    @Test("before a response, a model writes 50 tokens a second at once")
    func unknown() { #expect(OutputPace().tokens(after: 2_000, atMost: 1_000) == 100) }

    /// Returns the pace of a model after these streamed responses.
    private func pace(_ responses: [(wait: Int, output: Int, tokens: Int, hidden: Int)]) -> OutputPace {
        let averages = RecentUsageAverages { 0 }
        averages.record("a", by: nil, RecentUsageAverages.Lesson(completionTokens: 1))
        for one in responses {
            averages.recordPace(
                of: "a",
                wait: one.wait,
                output: one.output,
                tokens: one.tokens,
                hidden: one.hidden
            )
        }
        #expect(averages.pace(of: "b") == OutputPace())
        return averages.pace(of: "a")
    }

    @Test("the pace is the mean of the last hundred streamed responses")
    func means() {
        #expect(pace([(500, 1_000, 20, 0)]) == OutputPace(waitMilliseconds: 500, tokensPerSecond: 20))
        #expect(
            pace([(500, 1_000, 20, 0), (700, 3_000, 140, 0)])
                == OutputPace(waitMilliseconds: 600, tokensPerSecond: 40)
        )
        let old = Array(repeating: (wait: 9_000, output: 1_000, tokens: 1, hidden: 0), count: 100)
        let new = Array(repeating: (wait: 100, output: 1_000, tokens: 70, hidden: 0), count: 100)
        #expect(pace(old + new) == OutputPace(waitMilliseconds: 100, tokensPerSecond: 70))
    }

    @Test("reasoning that did not arrive is no wait: the model wrote it at the same pace")
    func hidden() {
        #expect(pace([(6_000, 1_000, 20, 100)]) == OutputPace(waitMilliseconds: 1_000, tokensPerSecond: 20))
        #expect(pace([(6_000, 1_000, 20, .max)]).tokensPerSecond == 20)
    }

    @Test("output that arrived at once, or no output, shows no pace")
    func atOnce() { #expect(pace([(500, 99, 20, 0), (500, 1_000, 0, 20)]) == OutputPace()) }
}
