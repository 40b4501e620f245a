import Engine
import Synchronization

extension ResponseCache: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.family("relay_cache_hits_total", .counter, help: "Requests that were served from the cache.")
        text.sample(value: hits.load(ordering: .relaxed))
        text.family("relay_cache_misses_total", .counter, help: "Requests whose response was not in the cache.")
        text.sample(value: misses.load(ordering: .relaxed))
        text.family(
            "relay_cache_coalesced_total",
            .counter,
            help: "Cache hits that waited for the response to an equal request."
        )
        text.sample(value: coalesced.load(ordering: .relaxed))
        let size = size
        text.family(
            "relay_cache_entries",
            .gauge,
            help: "Cache entries of this process, in memory or in its directory."
        )
        text.sample(value: size.entries)
        text.family("relay_cache_bytes", .gauge, help: "Size of the cache entries of this process.")
        text.sample(value: size.bytes)
        text.family("relay_cache_waiting", .gauge, help: "Requests that wait for the response to an equal request.")
        text.sample(value: coalescer.waiting)
    }
}
