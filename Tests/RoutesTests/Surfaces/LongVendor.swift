import Calls
import Engine
import Shared

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

    func prepare(_ call: ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat { LongChat(self) }

    fileprivate var texts: [String] {
        [#"{"a":""#] + Array(repeating: String(repeating: "x", count: 32_768), count: pieces) + [#""}"#]
    }

    fileprivate func look() { maxBytes = max(maxBytes, memory.largeUsedBytes) }
}

private final class LongChat: PreparedChat {
    let promptTokens = 1
    private let vendor: LongVendor

    init(_ vendor: LongVendor) { self.vendor = vendor }

    func response() async throws(UpstreamError) -> ChatResponse {
        ChatResponse([.init(text: Body(ByteBuffer(vendor.texts.joined())))], usage: nil)
    }

    func stream() async throws(UpstreamError) -> any ChatResponseStream { LongStream(vendor) }
}

private final class LongStream: ChatResponseStream, @unchecked Sendable {  // on one loop
    let usage: Usage? = Usage(promptTokens: 1, completionTokens: 2)
    let credits: Int? = nil
    let countsItself = true
    private let vendor: LongVendor
    private var texts: [String]

    init(_ vendor: LongVendor) { (self.vendor, texts) = (vendor, vendor.texts.reversed()) }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { texts.isEmpty ? .end : .bytes }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard let text = texts.popLast() else { return false }
        vendor.look()
        withBytes(text) { emit(0, .text($0)) }
        if texts.isEmpty { emit(0, .finish(.stop, stop: nil)) }
        return true
    }

    func stop() {}
}
