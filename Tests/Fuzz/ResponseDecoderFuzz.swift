/// Fuzzes vendors' responses. Every input gives a response or a refusal, the same however it is cut, without a read
/// past the end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzAnswerDecoder(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var pieces = Pieces(UnsafeRawBufferPointer(start: data, count: count))
    var whole = Answer()
    whole.consume(pieces.bytes)
    whole.end()
    var cut = Answer()
    var offset = 0
    while offset < pieces.bytes.count {
        let end = pieces.end(after: offset)
        cut.consume(UnsafeRawBufferPointer(rebasing: pieces.bytes[offset..<end]))
        offset = end
    }
    cut.end()
    demand(whole.outcome == cut.outcome, "whole \(whole.outcome), in pieces \(cut.outcome)")
    return 0
}

private struct Outcome: Equatable {
    var heads: [String] = []
    var body: [UInt8] = []
    var isDone = false
    var isRefused = false
}

private struct Answer: ~Copyable {
    private var decoder = ResponseDecoder()
    private var body = ByteBuffer()
    private(set) var outcome = Outcome()

    mutating func consume(_ bytes: UnsafeRawBufferPointer) {
        guard !outcome.isRefused else { return }
        var heads: [String] = []
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: bytes)
        do throws(MalformedResponse) {
            try decoder.consume(UnsafeRawBufferPointer(copy), into: &body) { heads.append(checked($0, $1)) }
        } catch {
            // The result before a refusal depends on the cuts.
            outcome = Outcome(isRefused: true)
            return
        }
        outcome.heads += heads
        demand(outcome.heads.count <= 1, "\(outcome.heads.count) heads")
        demand(outcome.heads.count == 1 || body.isEmpty, "a body without a head")
    }

    mutating func end() {
        guard !outcome.isRefused else { return }
        outcome.isDone = decoder.end()
        outcome.body = Array(body.bytes)
    }
}

private func checked(_ head: ParsedResponseHead, _ bytes: UnsafeRawBufferPointer) -> String {
    demand((200...999).contains(head.status), "status \(head.status)")
    if case .bytes(let count) = head.length { demand(count >= 0, "length \(count)") }
    demand(head.length != .open || !head.isKeepAlive, "a kept connection without an end")
    var texts: [String] = []
    for range in [head.contentType, head.retryAfter, head.retryAfterMilliseconds, head.location] {
        let text = bytes[part: range.range]
        demand(text.allSatisfy { $0 >= 32 && $0 != 127 || $0 == 9 }, "a control character")
        texts.append(text.text)
    }
    return "\(head.status) \(head.length) \(head.isKeepAlive) \(texts)"
}
