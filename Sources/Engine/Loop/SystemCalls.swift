import Glibc

/// The reason why the last failed system call of this thread failed, as text.
package var systemError: String { String(cString: strerror(errno)) }

/// Writes all bytes to a descriptor. Blocks if necessary. Returns false if writing failed; see `systemError`.
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
