import Glibc
import Limits
import Shared

/// The state besides limits that all loops share and, with a store, all instances.
struct SharedStates {
    let all: SharedState
    /// The state for stored responses. Without a store, it has a memory budget of its own.
    let responses: SharedState
    /// The state for cached responses; nil: they have no separate one.
    private let cachedResponses: SharedState?
    private let isOfInstances: Bool

    /// - Parameter store: the counter store; nil: state is only shared by the loops of this process.
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

    /// The state that all instances share; nil: there is no store.
    var ofInstances: SharedState? { isOfInstances ? all : nil }
    var ofCachedResponses: SharedState? { cachedResponses ?? ofInstances }

    func stop() {
        all.stop()
        if responses !== all { responses.stop() }
        cachedResponses?.stop()
    }
}
