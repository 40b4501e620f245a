package import Engine
package import Limits

/// The state of the operator's side: sessions, and a record of actions. All loops of the process share it.
package final class AdminState: Sendable {
    package let sessions: AdminSessions
    package let trail = AuditTrail()
    package let listing = Lock(SettingsListing())
    /// Whether a socket of its own serves the admin pages, and the public one does not. Decided at the start.
    package let isApart: Bool
    /// The name of this instance: host and port.
    package let instance: String
    /// The state that all instances share; nil: no other instance could read it.
    package let shared: SharedState?
    /// A thread for calls that block.
    package let worker = Worker(bound: 256)

    /// - Parameters:
    ///   - dataFolder: a folder that exists; nil: logouts are forgotten at the end of the process.
    ///   - isApart: whether a socket of its own serves the admin pages.
    package init(instance: String, dataFolder: String?, isApart: Bool, shared: SharedState?) {
        sessions = AdminSessions(dataFolder: dataFolder)
        self.isApart = isApart
        self.instance = instance
        self.shared = shared
    }

    package func stop() { worker.join() }
}
