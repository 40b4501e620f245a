package import Engine

extension MemoryBudget: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.family("relay_memory_budget_bytes", .gauge, "What may be held of all that others send: MEMORY_MB.")
        text.sample(value: bytes)
        text.family("relay_memory_held_bytes", .gauge, "What of that is held, by what holds it.")
        text.sample(("by", "tables"), value: setAsideBytes)
        text.sample(("by", "large"), value: largeUsedBytes)
        text.sample(("by", "small"), value: max(0, usedBytes - setAsideBytes - largeUsedBytes))
        text.sample(("by", "kept"), value: keptBytes)
        text.family("relay_memory_waits_total", .counter, "Times that something waited for memory.")
        text.sample(value: waitCount)
        text.family("relay_memory_refusals_total", .counter, "What ended for lack of memory, by how.")
        text.sample(("how", "refused"), value: refusalCount)
        text.sample(("how", "slow_body"), value: slowBodyCount)
    }
}
