package import Engine
package import Limits
package import Synchronization

/// The state of the operator's side: sessions, and a record of actions. All loops of the process share it.
package final class AdminState: Sendable {
    package let sessions: AdminSessions
    package let trail = AuditTrail()
    package let listing = Lock(SettingsListing())
    /// Whether a socket of its own serves the admin pages, and the public one does not. Decided at the start.
    package let isApart: Bool
    /// The name of this instance: host and port.
    package let instance: String
    package let board: InstanceBoard
    /// The store in which limits are counted; nil: they are counted in this process.
    package let counters: (any CounterStore)?
    /// The last overview, which all that look at one share.
    package let overview = Lock<Overview?>(nil)
    /// The number of live streams that are open.
    package let streams = Atomic(0)
    /// The state that all instances share; nil: no other instance could read it.
    package let shared: SharedState?
    /// A thread for calls that block.
    package let worker = Worker(bound: 256)

    /// An overview and the time at which it was made.
    package struct Overview: Sendable {
        package let madeAt: LoopTime
        package let data: JSONFragment

        package init(madeAt: LoopTime, data: JSONFragment) {
            self.madeAt = madeAt
            self.data = data
        }
    }

    /// - Parameters:
    ///   - dataFolder: a folder that exists; nil: logouts are forgotten at the end of the process.
    ///   - isApart: whether a socket of its own serves the admin pages.
    ///   - counters: the store of limits; nil: they are counted in this process.
    package init(
        instance: String,
        dataFolder: String?,
        isApart: Bool,
        shared: SharedState?,
        counters: (any CounterStore)? = nil
    ) {
        sessions = AdminSessions(dataFolder: dataFolder)
        self.isApart = isApart
        self.instance = instance
        self.shared = shared
        self.counters = counters
        board = InstanceBoard(name: instance)
    }

    package func stop() { worker.join() }
}
