import Glibc
import Limits
import Shared

/// The state besides limits that loops share, and with a store all instances.
struct SharedStates {
    let all: SharedState
    /// The same, unless there is no store: then responses have a part of the memory of their own.
    let responses: SharedState
    /// For answers that are kept; nil: they have none of their own.
    private let answers: SharedState?
    private let isOfInstances: Bool

    /// - Parameter store: nil: what is shared is shared by the loops of this process only.
    init(_ settings: Settings, _ store: (any CounterStore)?) {
        let timeout = settings.limits.storeTimeout.milliseconds
        let memory = settings.memory
        func state(of bytes: Int) -> SharedState {
            SharedState(MemoryCounters(bytes: bytes) { time(nil) }, timeoutMilliseconds: timeout)
        }
        let stored = store.map { SharedState($0, timeoutMilliseconds: timeout) }
        all = stored ?? state(of: memory.storeBytes)
        responses = stored ?? state(of: memory.responseBytes)
        // A thread of its own: answers are long, and counters are waited for.
        let keepsAnswers = settings.cache?.store == .memcached
        answers = keepsAnswers ? store.map { SharedState($0, timeoutMilliseconds: timeout) } : nil
        isOfInstances = store != nil
    }

    /// Nil: no other instance could read it.
    var ofInstances: SharedState? { isOfInstances ? all : nil }
    var ofAnswers: SharedState? { answers ?? ofInstances }

    func stop() {
        all.stop()
        if responses !== all { responses.stop() }
        answers?.stop()
    }
}
