import Engine
import Synchronization

extension AnswerShelf: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.family("relay_cache_hits_total", .counter, "Requests that were answered from the cache.")
        text.sample(value: hits.load(ordering: .relaxed))
        text.family("relay_cache_misses_total", .counter, "Requests whose answer was not in the cache.")
        text.sample(value: misses.load(ordering: .relaxed))
        text.family("relay_cache_coalesced_total", .counter, "Hits that waited for the answer to an equal request.")
        text.sample(value: coalesced.load(ordering: .relaxed))
        let size = size
        text.family("relay_cache_entries", .gauge, "Answers that this process keeps, in memory or in its directory.")
        text.sample(value: size.entries)
        text.family("relay_cache_bytes", .gauge, "The room that they take.")
        text.sample(value: size.bytes)
        text.family("relay_cache_waiting", .gauge, "Requests that wait for the answer to an equal one.")
        text.sample(value: flights.waiting)
    }
}
