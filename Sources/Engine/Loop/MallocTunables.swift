import CLinux
import Glibc

/// Settings for glibc's malloc. glibc reads them from the environment when the process starts, so changing them needs a
/// restart of the program.
package enum MallocTunables {
    /// The setting for the number of free blocks of each size that malloc caches per thread. glibc's default is 7, but
    /// a loop uses more blocks at once.
    static let blocks = (name: "glibc.malloc.tcache_count", value: "32")

    private static let variable = "GLIBC_TUNABLES"
    /// The name of the environment variable that is set only in a restarted process. The variable contains the name of
    /// the process before the restart.
    private static let mark = "RELAY_STARTED_AS"

    /// Restarts the program once in the same process, so that malloc reads the relay's settings. Call this method
    /// before other threads start.
    ///
    /// Does nothing in valgrind, if the settings are already present, or if the system refuses the restart.
    ///
    /// - Parameter arguments: the arguments of the program, from its name to a null pointer.
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

    /// Returns a new value for `GLIBC_TUNABLES`: the old value `given`, followed by the relay's setting for malloc.
    /// Returns nil if `given` already contains this setting.
    static func tunables(addedTo given: String) -> String? {
        let names = given.split(separator: ":").map { $0.prefix { $0 != "=" } }
        if names.contains(where: { $0 == blocks.name }) { return nil }
        return (given.isEmpty ? "" : given + ":") + "\(blocks.name)=\(blocks.value)"
    }
}
