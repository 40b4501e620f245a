import Glibc
import Limits
import Shared

/// The state that all loops share, without the counters of limits. With memcached, all instances share this state.
struct SharedStates {
    let all: SharedState
    /// The state that contains stored responses. With memcached, it is the same object as `all`.
    let responses: SharedState
    /// The state for cached responses; nil if responses are not cached in memcached.
    private let cachedResponses: SharedState?
    private let isOfInstances: Bool

    /// Creates the shared states. Without a store, only this process's loops share them.
    init(_ settings: Settings, _ store: (any CounterStore)?) {
        let timeout = settings.limits.storeTimeout.milliseconds
        let memory = settings.memory
        func state(of bytes: Int) -> SharedState {
            SharedState(MemoryCounters(bytes: bytes) { time(nil) }, timeoutMilliseconds: timeout)
        }
        let stored = store.map { SharedState($0, timeoutMilliseconds: timeout) }
        all = stored ?? state(of: memory.storeBytes)
        responses = stored ?? state(of: memory.responseBytes)
        // The cache has a separate thread: responses are long, and requests wait for counters.
        let keepsCachedResponses = settings.cache?.store == .memcached
        cachedResponses = keepsCachedResponses ? store.map { SharedState($0, timeoutMilliseconds: timeout) } : nil
        isOfInstances = store != nil
    }

    /// The state that all instances share; nil if there is no counter store.
    var ofInstances: SharedState? { isOfInstances ? all : nil }
    var ofCachedResponses: SharedState? { cachedResponses ?? ofInstances }

    func stop() {
        all.stop()
        if responses !== all { responses.stop() }
        cachedResponses?.stop()
    }
}
