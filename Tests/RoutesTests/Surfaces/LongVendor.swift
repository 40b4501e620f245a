import Engine
import Shared
import Upstream

/// A vendor without other abilities than text, whose response is a JSON object of so many chunks of 32 KB. It checks
/// the held memory before each.
final class LongVendor: ChatVendor, @unchecked Sendable {  // on one loop
    let name = "long"
    let wires: [Wire] = []
    private let pieces: Int
    private let memory: MemoryBudget
    fileprivate(set) var maxBytes = 0

    init(pieces: Int, _ memory: MemoryBudget) { (self.pieces, self.memory) = (pieces, memory) }

    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { [] }

    func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat { LongChat(self) }

    fileprivate var texts: [String] {
        [#"{"a":""#] + Array(repeating: String(repeating: "x", count: 32_768), count: pieces) + [#""}"#]
    }

    fileprivate func look() { maxBytes = max(maxBytes, memory.largeUsedBytes) }
}

private final class LongChat: PreparedChat {
    let promptTokens = 1
    private let vendor: LongVendor

    init(_ vendor: LongVendor) { self.vendor = vendor }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        LongStream(vendor, isStreamed: isStreamed)
    }
}

private final class LongStream: ChatStream, @unchecked Sendable {  // on one loop
    var usage: Usage? { isStreamed ? Usage(promptTokens: 1, completionTokens: 2) : nil }
    let credits: Int? = nil
    let countsItself = true
    private let vendor: LongVendor
    private let isStreamed: Bool
    private var texts: [String]

    init(_ vendor: LongVendor, isStreamed: Bool) {
        (self.vendor, self.isStreamed, texts) = (vendor, isStreamed, vendor.texts.reversed())
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { texts.isEmpty ? .end : .bytes }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard let text = texts.popLast() else { return false }
        if isStreamed { vendor.look() }
        withBytes(text) { emit(0, .text($0)) }
        if texts.isEmpty { emit(0, .finish(.stop, stop: nil)) }
        return true
    }

    func stop() {}
}
