import Engine
import Testing

@testable import Shared

@Suite struct MetricsTextTests {
    @Test("families and samples")
    func form() {
        var text = MetricsText()
        text.counter("a_total", "What a is.")
        text.sample(value: 3)
        text.sample(("b", "c"), ("d", "e"), value: -4)
        text.gauge("f_seconds", "F.")
        text.sample(billionths: 1_020_000_000)
        text.sample(billionths: 7_000_000_000)
        text.sample(billionths: 1)
        #expect(
            text.body.text == """
                # HELP a_total What a is.
                # TYPE a_total counter
                a_total 3
                a_total{b="c",d="e"} -4
                # HELP f_seconds F.
                # TYPE f_seconds gauge
                f_seconds 1.02
                f_seconds 7
                f_seconds 0.000000001

                """
        )
    }

    @Test("values of labels are escaped")
    func escaping() {
        var text = MetricsText()
        text.gauge("a", "A.")
        text.sample(("b", "back\\slash \"quoted\"\nnext {}=, \t é"), value: 1)
        #expect(text.body.text.hasSuffix(#"a{b="back\\slash \"quoted\"\nnext {}=, \#t é"} 1"# + "\n"))
    }

    @Test("a histogram counts up, to all at +Inf")
    func histogram() {
        var text = MetricsText()
        text.histogram("t", "T.")
        let all = Buckets.requests
        var buckets = [Int](repeating: 0, count: all.count + 1)
        buckets[0] = 2
        buckets[2] = 1
        buckets[all.count - 1] = 4
        buckets[all.count] = 2_500_000_000
        text.histogram(("r", "/x"), ("none", ""), of: all, buckets)
        let lines = text.body.text.split(separator: "\n").dropFirst(2)
        #expect(lines.first == #"t_bucket{r="/x",le="0.005"} 2"#)
        #expect(lines.dropFirst().first == #"t_bucket{r="/x",le="0.01"} 2"#)
        #expect(lines.dropFirst(2).first == #"t_bucket{r="/x",le="0.025"} 3"#)
        #expect(
            lines.suffix(4) == [
                #"t_bucket{r="/x",le="300"} 3"#, #"t_bucket{r="/x",le="+Inf"} 7"#, #"t_sum{r="/x"} 2.5"#,
                #"t_count{r="/x"} 7"#,
            ]
        )
        #expect(lines.count == all.count + 2)
    }

    @Test("an edge belongs to the bucket below it", arguments: Buckets.requests.edges.indices)
    func edges(index: Int) {
        let edge = Buckets.requests.edges[index]
        #expect(Buckets.requests.bucket(of: edge) == index)
        #expect(Buckets.requests.bucket(of: edge + 1) == index + 1)
        #expect(Buckets.requests.bucket(of: edge - 1) == index)
    }

    @Test("the ends of the buckets")
    func ends() {
        #expect(Buckets.requests.bucket(of: 0) == 0)
        #expect(Buckets.requests.bucket(of: .max) == Buckets.requests.count - 1)
        for buckets in [Buckets.requests, .operations, .firstTokens, .tokens] {
            #expect(buckets.edges == buckets.edges.sorted())
        }
        #expect(Buckets.operations.edges.last == 81_920_000_000 && Buckets.tokens.edges.last == 67_108_864)
    }
}
