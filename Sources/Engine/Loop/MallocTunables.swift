import CLinux
import Glibc

/// Settings for glibc's malloc, which glibc reads when the process starts.
package enum MallocTunables {
    /// The setting for the number of free blocks of each size that malloc caches per thread.
    static let blocks = (name: "glibc.malloc.tcache_count", value: "32")  // A loop uses more than glibc's default of 7.

    private static let variable = "GLIBC_TUNABLES"
    /// The environment variable that is set only in a restarted process. Its value is the process name before the
    /// restart.
    private static let mark = "RELAY_STARTED_AS"

    /// Restarts the program once in the same process, so that malloc reads the relay's settings. Call this method
    /// before other threads start. Returns without a restart if none is needed or possible.
    package static func apply(arguments: UnsafePointer<UnsafeMutablePointer<CChar>?>) {
        if let name = getenv(mark) {
            // The kernel took the name from the started path, which is `exe`.
            relay_name_thread(name)
            unsetenv(mark)
            return
        }
        let given = getenv(variable).map { String(cString: $0) }
        guard !isInValgrind, let wanted = tunables(addedTo: given ?? "") else { return }
        var name = [CChar](repeating: 0, count: 16)
        relay_get_thread_name(&name)
        setenv(variable, wanted, 1)
        setenv(mark, name, 1)
        execv("/proc/self/exe", arguments)
        unsetenv(mark)
        if let given { setenv(variable, given, 1) } else { unsetenv(variable) }
    }

    /// Returns `given` with the relay's setting for malloc; nil if `given` already sets it, to any value.
    static func tunables(addedTo given: String) -> String? {
        let names = given.split(separator: ":").map { $0.prefix { $0 != "=" } }
        if names.contains(where: { $0 == blocks.name }) { return nil }
        return (given.isEmpty ? "" : given + ":") + "\(blocks.name)=\(blocks.value)"
    }
}
