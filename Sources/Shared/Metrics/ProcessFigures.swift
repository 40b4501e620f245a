package import Engine
import Glibc

/// Metrics about this process that the kernel reports, such as memory and open files.
package struct ProcessFigures: MetricsSource {
    private let startMilliseconds: Int

    /// Creates the source of metrics and records the start time. Call it when the process starts.
    package init() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        startMilliseconds = now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
    }

    package func write(to text: inout MetricsText) {
        text.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.")
        text.sample(billionths: startMilliseconds * 1_000_000)
        if let memory = Self.residentBytes {
            text.gauge("process_resident_memory_bytes", "Memory in use.", memory)
        }
        text.gauge("process_heap_bytes", "Memory that the process has allocated and not freed.", Memory.allocatedBytes)
        if let open = Self.openDescriptors() {
            text.gauge("process_open_fds", "Open file descriptors.", open)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 {
            text.gauge("process_max_fds", "Maximum number of open file descriptors.", Int(clamping: limit.rlim_cur))
        }
        // The name in parentheses may contain spaces. All fields after it are numbers, except the first.
        if let stat = Self.numbers("/proc/self/stat", after: ")"), stat.count > 17 {
            let ticks = max(1, sysconf(Int32(_SC_CLK_TCK)))
            text.counter("process_cpu_seconds_total", "Processor time, user and system.")
            text.sample(billionths: (stat[11] + stat[12]) * (1_000_000_000 / ticks))
            text.gauge("process_threads", "Threads, including those of the event loops.", stat[17])
        }
    }

    /// The physical memory that the process uses, in bytes; nil if the kernel does not report it.
    package static var residentBytes: Int? {
        guard let memory = numbers("/proc/self/statm"), memory.count > 1 else { return nil }
        return memory[1] * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Returns the number of open file descriptors; nil if there are too many to list.
    static func openDescriptors() -> Int? {
        var about = stat()
        // Since Linux 6.2, the size of this folder is the number of open file descriptors.
        if stat("/proc/self/fd", &about) == 0, about.st_size > 0 { return about.st_size }
        return listDescriptors()
    }

    /// Returns the number of open file descriptors; nil if it is larger than `limit`.
    static func listDescriptors(upTo limit: Int = 2_048) -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = -3  // `.`, `..` and the directory itself
        while readdir(directory) != nil {
            count += 1
            if count > limit { return nil }
        }
        return count
    }

    /// Reads the numbers in a file of `/proc`; other words count as 0. Returns nil if reading fails.
    /// - Parameter mark: only the numbers after this character's last occurrence are read; nil for all.
    private static func numbers(_ path: String, after mark: Character? = nil) -> [Int]? {
        guard let whole = textOfFile(path), !whole.isEmpty else { return nil }
        var text = whole[...]
        if let mark, let index = text.lastIndex(of: mark) { text = text[text.index(after: index)...] }
        return text.split { $0 == " " || $0 == "\n" }.map { Int($0) ?? 0 }
    }
}

extension MemoryBudget: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.gauge("relay_memory_budget_bytes", "Memory budget for request and response data, in bytes (MEMORY_MB).")
        text.sample(value: bytes)
        text.gauge("relay_memory_held_bytes", "Memory of the budget that is in use, by purpose.")
        text.sample(("by", "tables"), value: setAsideBytes)
        text.sample(("by", "large"), value: largeUsedBytes)
        text.sample(("by", "small"), value: max(0, usedBytes - setAsideBytes - largeUsedBytes))
        text.sample(("by", "kept"), value: keptBytes)
        text.counter("relay_memory_waits_total", "Number of times that a request or response waited for memory.")
        text.sample(value: waitCount)
        text.counter(
            "relay_memory_refusals_total",
            "Requests and streams that ended because memory ran out, by outcome."
        )
        text.sample(("how", "refused"), value: refusalCount)
        text.sample(("how", "slow_body"), value: slowBodyCount)
    }
}

/// The metric that shows, for each event loop, how long its longest recent turn took.
package final class LoopDelays: MetricsSource {
    private let paces = Lock<[LoopPace]>([])

    package init() {}

    /// Sets the event loops whose turns this metric shows.
    package func watch(_ paces: [LoopPace]) { self.paces.withLock { $0 = paces } }

    package func write(to text: inout MetricsText) {
        text.gauge(
            "relay_loop_iteration_seconds_max",
            "Longest turn of an event loop in the last one to two minutes, during which its other clients waited."
        )
        for (index, longest) in longestNanoseconds.enumerated() {
            text.sample(("loop", "\(index)"), billionths: Int(clamping: longest))
        }
    }

    /// The longest turn of each loop in the last one to two minutes, in nanoseconds.
    package var longestNanoseconds: [UInt64] {
        let now = LoopTime.current()
        return paces.withLock { $0 }.map { $0.longestNanoseconds(at: now) }
    }
}
