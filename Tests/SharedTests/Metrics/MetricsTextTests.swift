import Engine
import Testing

@testable import Shared

@Suite struct MetricsTextTests {
    @Test("families and samples")
    func form() {
        var text = MetricsText()
        text.family("a_total", .counter, "What a is.")
        text.sample(value: 3)
        text.sample(("b", "c"), ("d", "e"), value: -4)
        text.family("f_seconds", .gauge, "F.")
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
        text.family("a", .gauge, "A.")
        text.sample(("b", "back\\slash \"quoted\"\nnext {}=, \t é"), value: 1)
        #expect(text.body.text.hasSuffix(#"a{b="back\\slash \"quoted\"\nnext {}=, \#t é"} 1"# + "\n"))
    }

    @Test("a histogram counts up, to all at +Inf")
    func histogram() {
        var text = MetricsText()
        text.family("t", .histogram, "T.")
        var buckets = [Int](repeating: 0, count: Latency.buckets)
        buckets[0] = 2
        buckets[2] = 1
        buckets[Latency.buckets - 1] = 4
        text.histogram(("r", "/x"), buckets[...], sumNanoseconds: 2_500_000_000)
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
        #expect(lines.count == Latency.buckets + 2)
    }

    @Test("an edge belongs to the bucket below it", arguments: Latency.edges.indices)
    func edges(index: Int) {
        let edge = Latency.edges[index]
        #expect(Latency.bucket(nanoseconds: edge) == index)
        #expect(Latency.bucket(nanoseconds: edge + 1) == index + 1)
        #expect(Latency.bucket(nanoseconds: edge - 1) == index)
    }

    @Test("the ends of the buckets")
    func ends() {
        #expect(Latency.bucket(nanoseconds: 0) == 0)
        #expect(Latency.bucket(nanoseconds: .max) == Latency.buckets - 1)
        #expect(Latency.edges == Latency.edges.sorted())
    }
}
