/// The time and memory that a client may take.
package struct ServerBounds: Sendable {
    /// For a whole head, from the connection's or the head's first byte.
    package var headNanoseconds: UInt64 = 10_000_000_000
    /// Between requests on a kept connection.
    package var idleNanoseconds: UInt64 = 75_000_000_000
    /// Without taking a byte of what is sent.
    package var writeNanoseconds: UInt64 = 120_000_000_000
    /// For a refused client to stop sending.
    package var lingerNanoseconds: UInt64 = 2_000_000_000
    /// For a request's first byte that is on its way while the server begins to drain.
    package var drainIdleNanoseconds: UInt64 = 500_000_000
    /// Of a streamed answer, waiting for the client; more suspends the writer.
    package var outputBytes = 16_384
    /// Of requests that wait for the present one's answer; more is not read.
    package var pipelineBytes = 16_384
    /// Connections on this loop; more wait in the kernel's queue.
    package var connections = 100_000

    package init() {}
}
