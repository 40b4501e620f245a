/// The bounds of time and memory for clients.
package struct ServerBounds: Sendable {
    /// The time for a whole head, from the connection's start or the head's first byte.
    package var headNanoseconds: UInt64 = 10_000_000_000
    /// The time between requests on a kept connection.
    package var idleNanoseconds: UInt64 = 75_000_000_000
    /// The time in which a client may receive nothing of its response.
    package var writeNanoseconds: UInt64 = 120_000_000_000
    /// The time for a refused client to stop sending.
    package var lingerNanoseconds: UInt64 = 2_000_000_000
    /// The time to wait for a request that is on its way when the server begins to drain.
    package var drainIdleNanoseconds: UInt64 = 500_000_000
    /// The most bytes of a streamed response that wait for the client before the writer is suspended.
    package var outputBytes = 16_384
    /// The most bytes of pipelined requests that are read before the current response is complete.
    package var pipelineBytes = 16_384
    /// The most connections on this loop. Others wait in the kernel's queue.
    package var connections = 100_000

    package init() {}
}
