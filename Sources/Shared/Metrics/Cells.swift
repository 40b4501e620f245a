import Synchronization

/// Counts that one thread writes and any thread reads.
///
/// An addition is a plain load and store (nobody else writes), so it costs what an ordinary integer does, and a reader
/// neither waits for the writer nor makes it wait. What a reader sees of different cells may be some additions apart.
///
/// `@unchecked`: the cells are atomic; where they lie is constant.
final class Cells: @unchecked Sendable {
    private let cells: UnsafeMutableBufferPointer<Atomic<Int>>

    /// In cache lines of their own: no other loop's writes make them slow.
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

    /// On the writing thread.
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
