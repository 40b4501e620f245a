import Engine
import Synchronization

extension ResponseCache: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.counter("relay_cache_hits_total", "Requests that were served from the cache.")
        text.sample(value: hits.load(ordering: .relaxed))
        text.counter("relay_cache_misses_total", "Requests whose response was not in the cache.")
        text.sample(value: misses.load(ordering: .relaxed))
        text.counter("relay_cache_coalesced_total", "Cache hits that waited for the response to an equal request.")
        text.sample(value: coalesced.load(ordering: .relaxed))
        let size = size
        text.gauge("relay_cache_entries", "Cache entries of this process, in memory or in its directory.", size.entries)
        text.gauge("relay_cache_bytes", "Size of the cache entries of this process.", size.bytes)
        text.gauge("relay_cache_waiting", "Requests that wait for the response to an equal request.", coalescer.waiting)
    }
}
