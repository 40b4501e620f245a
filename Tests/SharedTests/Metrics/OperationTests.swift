import Engine
import Testing

@testable import Shared

@Suite struct OperationTests {
    private func metrics(_ loops: Int = 1) -> Metrics {
        let labels = MetricLabels(
            routes: ["/a"],
            models: ["m1", "m2"],
            providers: ["groq-1", "claude"],
            kinds: ["groq-1": "openai", "claude": "anthropic"]
        )
        return Metrics(labels, loops: loops, others: [])
    }

    private func operation(
        _ kind: Operation.Kind = .chat,
        _ provider: String? = "groq-1",
        model: String? = "m1",
        status: Int = 200,
        fault: UpstreamFault? = nil,
        milliseconds: UInt64 = 100,
        tokens: (Int, Int)? = nil
    ) -> Operation {
        var operation = Operation(kind, model: model, provider: provider, status: status, fault: fault)
        operation.durationNanoseconds = milliseconds * 1_000_000
        operation.callNanoseconds = provider == nil ? nil : operation.durationNanoseconds / 2
        operation.firstTokenNanoseconds = operation.durationNanoseconds / 4
        operation.usage = tokens.map { Usage(promptTokens: $0.0, completionTokens: $0.1) }
        return operation
    }

    /// Returns the lines of sums and counts, without the buckets.
    private func totals(_ metrics: Metrics, _ name: String) -> [String] {
        lines(metrics).filter { $0.hasPrefix(name) && !$0.contains("_bucket{") }
    }

    private func lines(_ metrics: Metrics) -> [String] {
        var text = MetricsText()
        metrics.writeOperations(to: &text)
        return text.body.text.split(separator: "\n").map { String($0) }
    }

    private let chat =
        #"gen_ai_operation_name="chat",gen_ai_provider_name="openai",provider="groq-1",gen_ai_request_model="m1""#

    @Test("times and tokens of all loops are summed, in the conventions' buckets")
    func sums() {
        let metrics = metrics(2)
        metrics.loops[0].count(operation(tokens: (4, 5)))
        metrics.loops[1].count(operation(milliseconds: 300, tokens: (10, 0)))
        #expect(
            totals(metrics, "gen_ai_server_request") == [
                "gen_ai_server_request_duration_seconds_sum{\(chat)} 0.4",
                "gen_ai_server_request_duration_seconds_count{\(chat)} 2",
            ]
        )
        #expect(
            totals(metrics, "gen_ai_client_op").first == "gen_ai_client_operation_duration_seconds_sum{\(chat)} 0.2"
        )
        #expect(
            totals(metrics, "gen_ai_server_time").first == "gen_ai_server_time_to_first_token_seconds_sum{\(chat)} 0.1"
        )
        let lines = lines(metrics)
        for line in [
            "gen_ai_server_request_duration_seconds_bucket{\(chat),le=\"0.08\"} 0",
            "gen_ai_server_request_duration_seconds_bucket{\(chat),le=\"0.16\"} 1",
            "gen_ai_client_token_usage_bucket{\(chat),gen_ai_token_type=\"input\",le=\"4\"} 1",
            "gen_ai_client_token_usage_sum{\(chat),gen_ai_token_type=\"input\"} 14",
            "gen_ai_client_token_usage_bucket{\(chat),gen_ai_token_type=\"output\",le=\"1\"} 1",
            "gen_ai_client_token_usage_sum{\(chat),gen_ai_token_type=\"output\"} 5",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("a failure has the provider's fault or the status, and no first token")
    func failures() {
        let metrics = metrics()
        metrics.loops[0].count(operation(status: 502, fault: .unreachable))
        metrics.loops[0].count(operation(status: 499))
        metrics.loops[0].count(operation(.chat, nil, model: nil, status: 401))
        let counts = totals(metrics, "gen_ai_server_request").filter { $0.contains("_count{") }
        #expect(
            counts == [
                "gen_ai_server_request_duration_seconds_count{\(chat),error_type=\"unreachable\"} 1",
                "gen_ai_server_request_duration_seconds_count{\(chat),error_type=\"499\"} 1",
                #"gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="_OTHER","#
                    + #"error_type="401"} 1"#,
            ]
        )
        #expect(totals(metrics, "gen_ai_client_op").count == 4)
        #expect(totals(metrics, "gen_ai_server_time").isEmpty)
    }

    @Test("prompts alone are counted of embeddings")
    func embeddings() {
        let metrics = metrics()
        metrics.loops[0].count(operation(.embeddings, "claude", tokens: (7, 0)))
        #expect(totals(metrics, "gen_ai_client_token_usage").allSatisfy { $0.contains(#"token_type="input""#) })
        #expect(totals(metrics, "gen_ai_server_time").isEmpty)
    }

    @Test("there is a bound of series, and what is beyond it is counted together")
    func bound() {
        let metrics = metrics()
        for kind in Operation.Kind.allCases {
            for status in 400..<500 {
                metrics.loops[0].count(operation(kind, nil, status: status))
                metrics.loops[0].count(operation(kind, "nobody", model: "made-up-\(status)", status: status))
            }
        }
        let counts = totals(metrics, "gen_ai_server_request").filter { $0.contains("_count{") }
        #expect(counts.count == OperationCells.limit)
        let all = counts.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        #expect(all == 2 * 100 * Operation.Kind.allCases.count)
    }

    @Test("routes that ask no model are no operations")
    func kinds() {
        #expect(
            Operation.Kind(route: "/messages") == .chat && Operation.Kind(route: "/audio/speech") == .generateContent
        )
        for route in ["other", "/models", "/metrics", "/messages/count_tokens", "OPTIONS"] {
            #expect(Operation.Kind(route: route) == nil)
        }
    }
}
