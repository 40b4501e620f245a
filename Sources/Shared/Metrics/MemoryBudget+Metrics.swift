package import Engine

extension MemoryBudget: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.family(
            "relay_memory_budget_bytes",
            .gauge,
            help: "Memory budget for request and response data, in bytes (MEMORY_MB)."
        )
        text.sample(value: bytes)
        text.family("relay_memory_held_bytes", .gauge, help: "Memory of the budget that is in use, by purpose.")
        text.sample(("by", "tables"), value: setAsideBytes)
        text.sample(("by", "large"), value: largeUsedBytes)
        text.sample(("by", "small"), value: max(0, usedBytes - setAsideBytes - largeUsedBytes))
        text.sample(("by", "kept"), value: keptBytes)
        text.family(
            "relay_memory_waits_total",
            .counter,
            help: "Number of times that a request or response waited for memory."
        )
        text.sample(value: waitCount)
        text.family(
            "relay_memory_refusals_total",
            .counter,
            help: "Requests and streams that ended because memory ran out, by outcome."
        )
        text.sample(("how", "refused"), value: refusalCount)
        text.sample(("how", "slow_body"), value: slowBodyCount)
    }
}
