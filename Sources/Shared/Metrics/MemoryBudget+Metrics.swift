package import Engine

extension MemoryBudget: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.gauge("relay_memory_budget_bytes", "Memory budget for request and response data, in bytes (MEMORY_MB).")
        text.sample(value: bytes)
        text.gauge("relay_memory_held_bytes", "Memory of the budget that is in use, by purpose.")
        text.sample(("by", "tables"), value: setAsideBytes)
        text.sample(("by", "large"), value: largeUsedBytes)
        text.sample(("by", "small"), value: max(0, usedBytes - setAsideBytes - largeUsedBytes))
        text.sample(("by", "kept"), value: keptBytes)
        text.counter("relay_memory_waits_total", "Number of times that a request or response waited for memory.")
        text.sample(value: waitCount)
        text.counter(
            "relay_memory_refusals_total",
            "Requests and streams that ended because memory ran out, by outcome."
        )
        text.sample(("how", "refused"), value: refusalCount)
        text.sample(("how", "slow_body"), value: slowBodyCount)
    }
}
