/// The working memory for byte-pair encoding, which joins neighboring bytes of a text into tokens.
///
/// It has a list of the parts, which are single or joined bytes, and a heap of the neighbors that can be joined.
struct MergeRoom: ~Copyable {
    private struct MergeNode {
        var next: UInt32
        var before: UInt32
        /// The rank of the token that this part and the next part form together; `noRank` if there is none.
        var rank: UInt32
    }

    private let list: UnsafeMutablePointer<MergeNode>
    /// A heap of the pairs of parts that can be joined, at most three pairs for each byte of the text. A pair's entry
    /// has the rank of the joined part in its upper 32 bits, and the offset of the first part in its lower 32 bits.
    private let heap: UnsafeMutablePointer<UInt64>
    private var heapCount = 0
    private let capacity: Int
    private(set) var bytes = 0
    /// The offset of the end of each part (token) in the text; set by `finish`, after all joins.
    private let endList: UnsafeMutablePointer<UInt32>
    private(set) var parts = 0

    /// Allocates the working memory for texts of at most this many bytes.
    init(_ bytes: Int) {
        capacity = bytes
        list = .allocate(capacity: bytes)
        heap = .allocate(capacity: 3 * bytes)
        endList = .allocate(capacity: bytes)
    }

    deinit {
        list.deallocate()
        heap.deallocate()
        endList.deallocate()
    }

    func end(_ part: Int) -> Int { Int(endList[part]) }

    mutating func begin(_ count: Int) {
        precondition(count <= capacity, "more bytes than room")
        bytes = count
        heapCount = 0
        for offset in 0..<count {
            let part = MergeNode(
                next: UInt32(offset + 1),
                before: UInt32(max(0, offset - 1)),
                rank: TokenTable.noRank
            )
            (list + offset).initialize(to: part)
        }
    }

    @inline(__always)
    func next(_ offset: Int) -> Int { Int(list[offset].next) }

    @inline(__always)
    func before(_ offset: Int) -> Int { Int(list[offset].before) }

    @inline(__always)
    mutating func add(_ rank: UInt32, _ offset: Int) {
        list[offset].rank = rank
        guard rank != TokenTable.noRank else { return }
        let entry = UInt64(rank) << 32 | UInt64(truncatingIfNeeded: offset)
        var index = heapCount
        heapCount += 1
        while index > 0 {
            let above = (index - 1) >> 1
            if heap[above] <= entry { break }
            heap[index] = heap[above]
            index = above
        }
        heap[index] = entry
    }

    /// Removes the pair of parts whose join has the lowest rank. Returns the offset of its first part; nil if nothing
    /// can be joined.
    @inline(__always)
    mutating func removeLeast() -> Int? {
        while heapCount > 0 {
            let least = heap[0]
            removeFirst()
            let offset = Int(truncatingIfNeeded: least & 0xffff_ffff)
            if list[offset].rank == UInt32(truncatingIfNeeded: least >> 32) { return offset }
        }
        return nil
    }

    @inline(__always)
    private mutating func removeFirst() {
        heapCount -= 1
        let count = heapCount
        let entry = heap[count]
        var index = 0
        while true {
            var below = 2 * index + 1
            if below >= count { break }
            if below + 1 < count { below += heap[below + 1] < heap[below] ? 1 : 0 }
            if entry <= heap[below] { break }
            heap[index] = heap[below]
            index = below
        }
        heap[index] = entry
    }

    /// Joins the part that starts at a byte offset with the next part. Returns the end of the joined part.
    @inline(__always)
    mutating func join(_ offset: Int) -> Int {
        let gone = Int(list[offset].next)
        let end = list[gone].next
        list[gone].rank = TokenTable.noRank
        list[offset].rank = TokenTable.noRank
        list[offset].next = end
        if Int(end) < bytes { list[Int(end)].before = UInt32(truncatingIfNeeded: offset) }
        return Int(end)
    }

    mutating func finish() {
        var offset = 0
        parts = 0
        while offset < bytes {
            offset = Int(list[offset].next)
            endList[parts] = UInt32(offset)
            parts += 1
        }
    }
}
