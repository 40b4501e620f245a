import Engine
package import Shared

/// The metrics of provider keys in cooldown and of calls that wait for capacity.
package final class ProviderFigures: MetricsSource {
    private struct Known: Sendable {
        var rings: [(provider: String, ring: KeyRing)] = []
        /// The present queue, and queues of earlier settings in which calls still wait.
        var queues: [CapacityQueue] = []
    }

    private let known = Lock(Known())

    package init() {}

    /// Replaces the providers that are measured, after the settings were read.
    package func use(_ providers: [ProviderSettings], _ rings: [KeyRing?], _ queue: CapacityQueue) {
        let named = zip(providers, rings).compactMap { provider, ring in ring.map { (provider.name, $0) } }
        known.withLock { known in
            let queues = known.queues.filter { $0 !== queue && $0.waiting > 0 }
            known = Known(rings: named, queues: queues + [queue])
        }
    }

    package func write(to text: inout MetricsText) {
        let known = known.withLock { $0 }
        text.family("relay_queue_waiting", .gauge, "Calls that wait for the capacity of their providers.")
        text.sample(value: known.queues.reduce(0) { $0 + $1.waiting })
        let now = LoopTime.current()
        text.family("relay_provider_key_resting", .gauge, "1 for each key of a provider that rests after a failure.")
        for (provider, ring) in known.rings {
            for key in ring.resting(at: now) { text.sample(("provider", provider), ("key", key), value: 1) }
        }
    }
}
