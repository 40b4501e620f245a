import Engine
import Limits

/// The requests of one event loop that wait for their turn in limits.
final class WaitingExchanges: OnLoop, @unchecked Sendable {
    /// The functions that apply settings to each request, and return its new limits; nil if it has no others.
    private var all: [ObjectIdentifier: (Setup) -> ChangedLimits?] = [:]
    private let oneLoop = OneLoop()

    func insert(_ exchange: AnyObject, _ change: @escaping (Setup) -> ChangedLimits?) {
        oneLoop.check()
        all[ObjectIdentifier(exchange)] = change
    }

    func remove(_ exchange: AnyObject) {
        oneLoop.check()
        all[ObjectIdentifier(exchange)] = nil
    }

    /// Returns the requests that have other limits under these settings. Ends the waits of those whose keys the settings do
    /// not accept.
    func changes(under setup: Setup) -> [ChangedLimits] {
        oneLoop.check()
        return all.values.compactMap { $0(setup) }
    }
}
