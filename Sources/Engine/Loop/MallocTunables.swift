import CLinux
import Glibc

/// The tunables of glibc's malloc, which it reads from the environment before the program begins.
package enum MallocTunables {
    /// malloc keeps 7 free blocks of each size for a thread, but a loop has more in use at once. 32 blocks take off a third of
    /// malloc's time; more would keep the memory of streams that have ended.
    static let blocks = (name: "glibc.malloc.tcache_count", value: "32")

    private static let variable = "GLIBC_TUNABLES"
    /// The variable that marks a process that was started again. Its value is the name of the process.
    private static let mark = "RELAY_STARTED_AS"

    /// Starts the program again in the same process, once, with the tunables in the environment. Does nothing if they are there
    /// already, or if the system refuses. Call this before other threads start.
    ///
    /// Does nothing in valgrind either, whose own program is `/proc/self/exe` to the kernel.
    /// - Parameter arguments: the arguments of the program, from its name to a null.
    package static func apply(arguments: UnsafePointer<UnsafeMutablePointer<CChar>?>) {
        if let name = getenv(mark) {
            // The kernel took the name from the path that was started, which is `exe`.
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

    /// Returns the tunables with those that malloc needs; nil if they are all given.
    static func tunables(addedTo given: String) -> String? {
        let names = given.split(separator: ":").map { $0.prefix { $0 != "=" } }
        if names.contains(where: { $0 == blocks.name }) { return nil }
        return (given.isEmpty ? "" : given + ":") + "\(blocks.name)=\(blocks.value)"
    }
}
