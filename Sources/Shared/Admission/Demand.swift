import Engine
package import Limits

/// The facts of a request by which limits apply to it: its sender and its aim. `ApplicableLimits.charges` adds the units
/// that it needs.
package struct Demand: Sendable {
    package let caller: Caller
    package let group: EndpointGroup
    /// The model as the caller names it; nil if the request has none.
    package var model: String?
    package var user = EndUser()
    /// The digest of the session's name; nil without a session, or if no limit counts sessions.
    var session: Digest?
    /// The client's address as limits count it; empty if the caller's key alone identifies the caller.
    var address: String

    package init(_ caller: Caller, _ group: EndpointGroup, from address: String = "") {
        (self.caller, self.group, self.address) = (caller, group, address)
    }
}
