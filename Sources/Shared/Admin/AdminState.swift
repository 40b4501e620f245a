package import Engine
package import Limits
package import Synchronization

/// The state of the admin pages: sessions, the trail of actions, and what all instances share. All event loops of the
/// process share this object.
package final class AdminState: Sendable {
    package let sessions: AdminSessions
    package let trail = AuditTrail()
    package let listing = Lock(SettingsListing())
    /// Whether a separate socket, and not the public one, serves the admin pages. Fixed at startup.
    package let hasOwnAdminSocket: Bool
    /// The name of this instance: host name and port.
    package let instance: String
    package let board: InstanceBoard
    /// The store in which limits are counted; nil: they are counted in this process.
    package let counters: (any CounterStore)?
    /// The last computed overview. All clients of the overview page share it.
    package let overview = Lock<Overview?>(nil)
    /// The number of open live streams of the admin pages.
    package let streams = Atomic(0)
    /// The store of state that all instances share; nil: there is none.
    package let shared: SharedState?
    /// The thread for blocking calls of the admin pages.
    package let worker = Worker(bound: 256)

    /// An overview and the time of its computation.
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
    ///   - hasOwnAdminSocket: whether a socket of its own serves the admin pages.
    ///   - counters: the store of limits; nil: they are counted in this process.
    package init(
        instance: String,
        dataFolder: String?,
        hasOwnAdminSocket: Bool,
        shared: SharedState?,
        counters: (any CounterStore)? = nil
    ) {
        sessions = AdminSessions(dataFolder: dataFolder)
        self.hasOwnAdminSocket = hasOwnAdminSocket
        self.instance = instance
        self.shared = shared
        self.counters = counters
        board = InstanceBoard(name: instance)
    }

    package func stop() { worker.join() }
}
