extension Limiter: MetricsSource {
    package func write(to text: inout MetricsText) {
        let figures = metrics()
        text.family(
            "relay_limit_decisions_total",
            .counter,
            "Decisions, by kind of limit: one for each limit that admitted a request, one for the limit that refused it."
        )
        for (place, kind) in Limit.Kind.places.enumerated() {
            for outcome in LimiterMetrics.Outcome.allCases {
                text.sample(("kind", kind), ("outcome", outcome.label), value: figures.decisions(place, outcome))
            }
        }
        text.family("relay_limit_accounts", .gauge, "Limits of callers that are remembered here.")
        text.sample(value: figures.accounts)
        text.family("relay_limit_unshared_decisions_total", .counter, "Requests decided without the store, by cause.")
        text.sample(("cause", "down"), value: figures.byRule)
        text.sample(("cause", "timeout"), value: figures.expired)
        text.sample(("cause", "late"), value: figures.late)
        text.family("relay_store_operations_total", .counter, "Calls to the counter store, by kind.")
        text.sample(("operation", "read"), value: figures.reads)
        text.sample(("operation", "write"), value: figures.writes)
        text.sample(("operation", "probe"), value: figures.probes)
        text.family("relay_store_read_records_total", .counter, "Records asked for by those reads.")
        text.sample(value: figures.readRecords)
        text.family("relay_store_write_conflicts_total", .counter, "Writes that another instance was faster than.")
        text.sample(value: figures.lostRaces)
        text.family("relay_store_write_refusals_total", .counter, "Writes that the store did not take.")
        text.sample(value: figures.refusedWrites)
        text.family("relay_store_failures_total", .counter, "Calls that failed or were not answered in time.")
        text.sample(value: figures.failures)
        text.family("relay_store_servers_down", .gauge, "Servers of the counter store that are away.")
        text.sample(value: figures.serversDown)
        text.family(
            "relay_store_down_seconds_total",
            .counter,
            "Time that servers were away, of outages that are over."
        )
        text.sample(value: figures.downSeconds)
    }
}

extension LimiterMetrics.Outcome {
    fileprivate var label: String {
        switch self {
        case .admitted: "admitted"
        case .refused: "refused"
        case .storeDown: "store_down"
        }
    }
}
