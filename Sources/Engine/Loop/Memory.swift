import CLinux

/// What the C library does with memory that is freed.
package enum Memory {
    /// Before other threads start. By default 128 KB at the end of a thread's heap go back to the system at once, and
    /// are faulted in again by the next burst: a tenth of a stream's cost.
    package static func prepareProcess() { mallopt(M_TRIM_THRESHOLD, 16_777_216) }

    /// Gives back what is free. Some milliseconds after a rush of thousands of connections.
    static func giveBack() { malloc_trim(0) }
}
