import Synchronization

/// Counters that one thread writes and any thread reads.
///
/// Since only one thread writes, an addition is a plain load and store, which costs as much as for an ordinary integer.
/// Readers and the writer never wait for each other. The values that a reader sees can be from
/// slightly different times.
///
/// `@unchecked`: the counters are atomic, and their address is constant.
final class Cells: @unchecked Sendable {
    private let cells: UnsafeMutableBufferPointer<Atomic<Int>>

    /// The alignment of the counters in bytes. The counters of two loops must not share a cache line, because writes of
    /// one loop would then slow down the other.
    private static let lineBytes = 128

    init(count: Int) {
        let size = MemoryLayout<Atomic<Int>>.stride
        let bytes = (max(1, count) * size + Self.lineBytes - 1) / Self.lineBytes * Self.lineBytes
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.lineBytes)
        let first = memory.bindMemory(to: Atomic<Int>.self, capacity: count)
        for index in 0..<count { (first + index).initialize(to: Atomic(0)) }
        cells = UnsafeMutableBufferPointer(start: first, count: count)
    }

    deinit { UnsafeMutableRawPointer(cells.baseAddress)?.deallocate() }

    /// Adds an amount to the counter at an index. Call it on the thread that writes the counters.
    func add(_ amount: Int, at index: Int) {
        precondition(cells.indices.contains(index))
        let old = cells[index].load(ordering: .relaxed)
        cells[index].store(old &+ amount, ordering: .relaxed)
    }

    subscript(index: Int) -> Int {
        precondition(cells.indices.contains(index))
        return cells[index].load(ordering: .relaxed)
    }
}
