package import Engine
package import Limits
package import Synchronization

/// The state of the admin pages, such as the login sessions. All event loops share this object.
package final class AdminState: Sendable {
    package let sessions: AdminSessions
    package let trail = AuditTrail()
    package let listing = Lock(SettingsListing())
    /// Whether a separate socket serves the admin pages.
    package let hasOwnAdminSocket: Bool
    /// The name of this instance: host name and port.
    package let instance: String
    package let board: InstanceBoard
    /// The store in which limits are counted; nil if this process counts them in its memory.
    package let counters: (any CounterStore)?
    /// The data of the overview page, as last computed; nil if it was never computed.
    package let overview = Lock<Overview?>(nil)
    /// The number of open event streams that send live data to the admin pages.
    package let streams = Atomic(0)
    /// The state in memcached that all instances share; nil if memcached is not used.
    package let shared: SharedState?
    /// The thread that runs the blocking calls of the admin pages.
    package let worker = Worker(bound: 256)

    /// The data of the overview page, and the time at which it was computed.
    package struct Overview: Sendable {
        package let madeAt: LoopTime
        package let data: JSONFragment

        package init(madeAt: LoopTime, data: JSONFragment) {
            self.madeAt = madeAt
            self.data = data
        }
    }

    /// - Parameters:
    ///   - dataFolder: an existing folder; if nil, logouts are not saved in a file.
    ///   - counters: the store of the limits; nil if this process counts them in its memory.
    package init(
        instance: String,
        dataFolder: String?,
        hasOwnAdminSocket: Bool,
        shared: SharedState?,
        scope: StoreScope = StoreScope(nil, []),
        counters: (any CounterStore)? = nil
    ) {
        sessions = AdminSessions(dataFolder: dataFolder)
        self.hasOwnAdminSocket = hasOwnAdminSocket
        self.instance = instance
        self.shared = shared
        self.counters = counters
        board = InstanceBoard(name: instance, in: scope)
    }

    package func stop() { worker.join() }
}
