import Glibc

/// The reason of the last failed system call of this thread.
package var systemError: String { String(cString: strerror(errno)) }

/// Writes all bytes, and waits while the descriptor does not accept them. Blocks.
///
/// - Returns: false if it failed before the end; `systemError` then has the reason.
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
