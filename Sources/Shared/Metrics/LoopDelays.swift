package import Engine

/// The metric that shows, for each event loop, how long its longest recent turn took.
package final class LoopDelays: MetricsSource {
    private let paces = Lock<[LoopPace]>([])

    package init() {}

    /// Sets the event loops whose turns this metric shows.
    package func watch(_ paces: [LoopPace]) { self.paces.withLock { $0 = paces } }

    package func write(to text: inout MetricsText) {
        text.gauge(
            "relay_loop_iteration_seconds_max",
            "Longest turn of an event loop in the last one to two minutes, during which its other clients waited."
        )
        for (index, longest) in longestNanoseconds.enumerated() {
            text.sample(("loop", "\(index)"), billionths: Int(clamping: longest))
        }
    }

    /// The longest turn of each loop in the last one to two minutes, in nanoseconds.
    package var longestNanoseconds: [UInt64] {
        let now = LoopTime.current()
        return paces.withLock { $0 }.map { $0.longestNanoseconds(at: now) }
    }
}
