import Limits

extension Limiter: MetricsSource {
    package func write(to text: inout MetricsText) {
        let figures = metrics()
        writeDecisions(figures, to: &text)
        writeTurns(figures, to: &text)
        writeStore(figures, to: &text)
        writeHeld(figures, to: &text)
        writeClock(figures, to: &text)
    }

    private func writeDecisions(_ figures: LimiterMetrics, to text: inout MetricsText) {
        text.counter(
            "relay_limit_decisions_total",
            "Decisions by kind of limit: one for each limit that admitted a request, one for the limit that refused a request."
        )
        for (index, kind) in Limit.Kind.names.enumerated() {
            for outcome in LimiterMetrics.Outcome.allCases {
                text.sample(("kind", kind), ("outcome", outcome.label), value: figures.decisions(index, outcome))
            }
        }
        text.gauge("relay_limit_accounts", "Limits of callers whose counters are in the memory of this process.")
        text.sample(value: figures.accounts)
        text.counter(
            "relay_limit_unshared_decisions_total",
            "Requests that were decided without the counter store, by cause."
        )
        text.sample(("cause", "down"), value: figures.byRule)
        text.sample(("cause", "timeout"), value: figures.expired)
        text.sample(("cause", "late"), value: figures.late)
    }

    private func writeTurns(_ figures: LimiterMetrics, to text: inout MetricsText) {
        text.gauge("relay_limit_waiting", "Requests that wait for their turn in limits.", figures.waiting)
        text.counter("relay_limit_turns_total", "Turns of requests that limits had no room for, by outcome.")
        for outcome in TurnOutcome.allCases {
            text.sample(("outcome", "\(outcome)"), value: figures.turns(outcome))
        }
        text.histogram("relay_limit_wait_seconds", "Waits of admitted requests for their turn, by kind of limit.")
        for (kind, waits) in zip(Limit.Kind.names, figures.waits) {
            text.histogram(("kind", kind), of: .turns, waits.counts)
        }
    }

    private func writeStore(_ figures: LimiterMetrics, to text: inout MetricsText) {
        text.counter("relay_store_operations_total", "Calls to the counter store, by kind.")
        text.sample(("operation", "read"), value: figures.reads)
        text.sample(("operation", "write"), value: figures.writes)
        text.sample(("operation", "probe"), value: figures.probes)
        text.counter("relay_store_read_records_total", "Records that reads requested from the counter store.")
        text.sample(value: figures.readRecords)
        text.counter(
            "relay_store_write_conflicts_total",
            "Writes that failed because another instance had written the record first.",
            figures.lostRaces
        )
        text.counter("relay_store_write_refusals_total", "Writes that the counter store rejected.")
        text.sample(value: figures.refusedWrites)
        text.counter("relay_store_failures_total", "Calls of the counter store that failed or timed out.")
        text.sample(value: figures.failures)
        text.gauge("relay_store_servers_down", "Servers of the counter store that are unavailable.")
        text.sample(value: figures.serversDown)
        text.counter("relay_store_down_seconds_total", "Total duration of past outages of counter store servers.")
        text.sample(value: figures.downSeconds)
        text.counter(
            "relay_store_lost_records_total",
            "Records that the counter store had lost and that this process restored.",
            figures.rejoined
        )
    }

    private func writeHeld(_ figures: LimiterMetrics, to text: inout MetricsText) {
        text.counter("relay_limit_leases_total", "Leases of units, which are counted ahead for busy limits.")
        text.sample(value: figures.leases)
        text.counter("relay_limit_leased_units_total", "Units that were counted by leases.", figures.leasedUnits)
        text.gauge("relay_limit_open_leased_units", "Units of open leases that are not used yet.", figures.openUnits)
        text.gauge("relay_limit_slots", "Concurrency slots that requests of this process hold.", figures.slots)
        text.gauge("relay_instances", "Relays that were last seen alive in the counter store.", figures.instances)
    }

    private func writeClock(_ figures: LimiterMetrics, to text: inout MetricsText) {
        text.gauge(
            "relay_clock_difference_seconds",
            "Difference of this machine's clock from the clock of the counter store."
        )
        if let clock = figures.clockMilliseconds { text.sample(billionths: clock * 1_000_000) }
        text.gauge(
            "relay_clock_correction_seconds",
            "Correction of the clock difference that limits apply to agree with other instances."
        )
        text.sample(billionths: figures.correctionMilliseconds * 1_000_000)
    }
}

extension Buckets {
    fileprivate static let turns = Buckets(milliseconds: TurnWaits.boundsMilliseconds)
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
