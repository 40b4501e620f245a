import Synchronization

/// Counters that one thread writes and any thread reads. A reader can see values from slightly different times.
///
/// `@unchecked`: the counters are atomic, and their address is constant.
final class Cells: @unchecked Sendable {
    private let cells: UnsafeMutableBufferPointer<Atomic<Int>>

    /// The alignment of the counters in memory, in bytes. With it, the counters of two event loops never share a cache
    /// line of the processor.
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

    /// Adds an amount to a counter. Call it on the thread that writes the counters.
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
