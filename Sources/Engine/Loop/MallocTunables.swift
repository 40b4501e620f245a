import CLinux
import Glibc

/// The tunables of glibc's malloc, which it reads from the environment before the program begins.
package enum MallocTunables {
    /// The number of free blocks of each size that malloc keeps per thread. By default malloc keeps 7, but a loop uses
    /// more at once. 32 blocks save a third of malloc's time; more would keep the memory of finished streams.
    static let blocks = (name: "glibc.malloc.tcache_count", value: "32")

    private static let variable = "GLIBC_TUNABLES"
    /// The variable that marks a restarted process. Its value is the name of the process.
    private static let mark = "RELAY_STARTED_AS"

    /// Restarts the program once in the same process, with the tunables in the environment. Does nothing if they are
    /// already set, or if the system refuses. Call it before other threads start.
    ///
    /// Does nothing in valgrind either, because there `/proc/self/exe` is valgrind's own program.
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

    /// Returns the given tunables with the missing ones of malloc added; nil if none is missing.
    static func tunables(addedTo given: String) -> String? {
        let names = given.split(separator: ":").map { $0.prefix { $0 != "=" } }
        if names.contains(where: { $0 == blocks.name }) { return nil }
        return (given.isEmpty ? "" : given + ":") + "\(blocks.name)=\(blocks.value)"
    }
}
