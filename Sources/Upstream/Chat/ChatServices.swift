package import Engine
package import Shared

/// The services of an event loop that chats need besides the vendors. The loop's gateway provides them.
package protocol ChatServices: AnyObject, Sendable {
    var ids: RandomBytes { get }
    var memory: MemoryBudget { get }
    var worker: WorkQueue { get }
    var loop: EventLoop { get }
    /// Returns what is needed to load the media in the caller's requests.
    func mediaAccess(for caller: Caller) -> MediaAccess
    /// Returns the memory of the images that the relay has made for the caller.
    func memory(of caller: Caller) -> ImageMemory
}

package protocol ChatRequester: AnyObject, Sendable {
    var services: any ChatServices { get }
    /// Returns the reservation by which a call is billed if the fit's candidate serves it; nil if no limit needs one.
    func usageReservation(for fit: ChatFit) -> UsageReservation?
    /// Returns the hash of the session of the request; nil if the request belongs to no session.
    func sessionHash(of caller: Caller) -> UInt64?
}
