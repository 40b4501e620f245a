import Engine
package import Shared

/// The providers' keys that rest, for metrics.
package struct RestingKeys: MetricsSource {
    private let rings: [(provider: String, ring: KeyRing)]

    package init(_ providers: [ProviderSettings], _ rings: [KeyRing?]) {
        self.rings = zip(providers, rings).compactMap { provider, ring in ring.map { (provider.name, $0) } }
    }

    package func write(to text: inout MetricsText) {
        let now = EventLoop.monotonicNanoseconds()
        text.family("relay_provider_key_resting", .gauge, "1 for each key of a provider that rests after a failure.")
        for (provider, ring) in rings {
            for key in ring.resting(at: now) { text.sample(("provider", provider), ("key", key), value: 1) }
        }
    }
}
