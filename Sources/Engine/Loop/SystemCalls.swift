import Glibc

/// The reason of this thread's system call that failed last.
package var systemError: String { String(cString: strerror(errno)) }

/// Writes the bytes to the end, and waits where the descriptor does not take them yet. Blocks.
///
/// - Returns: false: it failed before the end; `systemError` says why.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
        let count = write(descriptor, base, rest.count)
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&wanted, 1, -1)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}
