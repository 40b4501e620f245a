import Engine
package import Shared

/// The metrics of provider keys in cooldown, of circuit breakers, of quirks, and of calls that wait for capacity.
package final class ProviderMetrics: MetricsSource {
    private struct KnownFigures: Sendable {
        var rings: [(provider: String, ring: KeyRing)] = []
        /// The capacity queue of the current settings, and those of earlier settings in which calls still waited.
        var queues: [CapacityQueue] = []
        var providers: [String] = []
        var balance: Balance?
        var quirks: QuirkMemory?
    }

    private let known = Lock(KnownFigures())

    private static let seriesLimit = 300

    package init() {}

    /// Replaces the providers whose metrics are reported. Called after the settings are read.
    package func use(_ providers: [ProviderSettings], _ rings: [KeyRing?], balance: Balance, quirks: QuirkMemory) {
        let queue = balance.queue
        let named = zip(providers, rings).compactMap { provider, ring in ring.map { (provider.name, $0) } }
        known.withLock { known in
            let queues = known.queues.filter { $0 !== queue && $0.waiting > 0 }
            known = KnownFigures(
                rings: named,
                queues: queues + [queue],
                providers: providers.map(\.name),
                balance: balance,
                quirks: quirks
            )
        }
    }

    package func write(to text: inout MetricsText) {
        let known = known.withLock { $0 }
        text.gauge("relay_queue_waiting", "Calls that wait for the capacity of their providers.")
        text.sample(value: known.queues.reduce(0) { $0 + $1.waiting })
        let now = LoopTime.current()
        text.gauge("relay_provider_key_resting", "1 for each key of a provider that is in cooldown after a failure.")
        for (provider, ring) in known.rings {
            for key in ring.cooldown(at: now) { text.sample(("provider", provider), ("key", key), value: 1) }
        }
        text.gauge(
            "relay_provider_breaker_open",
            "1 for each model of a provider whose circuit breaker is open or half-open."
        )
        for breaker in known.balance?.openBreakers(at: now).prefix(Self.seriesLimit) ?? []
        where known.providers.indices.contains(breaker.provider) {
            let provider = known.providers[breaker.provider]
            text.sample(("provider", provider), ("model", breaker.model), value: 1)
        }
        known.quirks?.write(to: &text)
    }
}
