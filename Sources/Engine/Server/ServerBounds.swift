/// The limits of time and memory for the client connections of one loop.
package struct ServerBounds: Sendable {
    /// The time in which the whole head of a request must arrive.
    package var headNanoseconds: UInt64 = 10_000_000_000
    /// The time for which a connection may stay idle between two requests.
    package var idleNanoseconds: UInt64 = 75_000_000_000
    /// The time after which a connection closes if the client receives no more of its response.
    package var writeNanoseconds: UInt64 = 120_000_000_000
    /// The time for which a closing connection still drops data of the client.
    package var lingerNanoseconds: UInt64 = 2_000_000_000
    /// The time for which an idle connection stays open when the server shuts down.
    package var drainIdleNanoseconds: UInt64 = 500_000_000  // A request may be on its way.
    /// The number of unsent bytes of a streamed response above which the handler should wait.
    package var outputBytes = 16_384
    /// The number of bytes of pipelined requests that are read while the current request is served.
    package var pipelineBytes = 16_384
    /// The largest number of connections on one loop. Further clients wait in the kernel's queue.
    package var connections = 100_000

    package init() {}
}
