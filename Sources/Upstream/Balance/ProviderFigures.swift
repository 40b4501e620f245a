import Engine
package import Shared

/// The providers' keys that rest, and the calls that wait for capacity, for metrics.
package struct ProviderFigures: MetricsSource {
    private let rings: [(provider: String, ring: KeyRing)]

    private let queue: CapacityQueue

    package init(_ providers: [ProviderSettings], _ rings: [KeyRing?], _ queue: CapacityQueue) {
        self.queue = queue
        self.rings = zip(providers, rings).compactMap { provider, ring in ring.map { (provider.name, $0) } }
    }

    package func write(to text: inout MetricsText) {
        text.family("relay_queue_waiting", .gauge, "Calls that wait for the capacity of their providers.")
        text.sample(value: queue.waiting)
        let now = EventLoop.monotonicNanoseconds()
        text.family("relay_provider_key_resting", .gauge, "1 for each key of a provider that rests after a failure.")
        for (provider, ring) in rings {
            for key in ring.resting(at: now) { text.sample(("provider", provider), ("key", key), value: 1) }
        }
    }
}
