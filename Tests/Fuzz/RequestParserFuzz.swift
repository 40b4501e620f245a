/// Fuzzes request heads and chunked bodies. Every input gives a result, the same however it is cut, without a read past
/// the end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequestParser(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let pieces = Pieces(UnsafeRawBufferPointer(start: data, count: count))
    let whole = withTightCopy(pieces.bytes, outcome)
    let inPieces = headInPieces(pieces)
    demand(whole == inPieces, "head: whole \(whole), in pieces \(inPieces)")
    var rest = pieces
    if case .head(let length, _) = whole { rest = rest.dropping(length) }
    let body = chunkedWhole(rest.bytes)
    let bodyInPieces = chunkedInPieces(rest)
    demand(body == bodyInPieces, "chunks: whole \(body), in pieces \(bodyInPieces)")
    return 0
}

private enum Outcome: Equatable {
    case incomplete
    case head(length: Int, parts: [String])
    case refused(Int)
}

private func outcome(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    var head = RequestHead()
    do throws(RequestError) {
        guard let length = try RequestParser.parse(bytes, into: &head) else { return .incomplete }
        demand(length > 0 && length <= bytes.count, "length \(length) of \(bytes.count)")
        demand(length <= RequestParser.headLimitBytes, "a head of \(length) bytes")
        return .head(length: length, parts: checkedParts(head, UnsafeRawBufferPointer(rebasing: bytes[..<length])))
    } catch {
        demand([400, 405, 414, 431, 501, 505].contains(error.status), "status \(error.status)")
        return .refused(error.status)
    }
}

/// Returns the head's values as text, after checking what a handler relies on.
private func checkedParts(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> [String] {
    demand(!head.isChunked || head.contentLength == nil && head.isHTTP11, "chunked with a length, or in HTTP/1.0")
    demand(head.contentLength ?? 0 >= 0, "length \(head.contentLength ?? 0)")
    let raw = bytes[part: head.path.range]
    demand(raw.allSatisfy { $0 > 32 && $0 < 127 && $0 != 35 && $0 != 63 }, "path \(raw.text)")
    var path = ByteBuffer()
    RequestTarget.normalise(raw, into: &path)
    demand(path.bytes.first == 47 || raw.equals("*") && head.method == .options, "path \(raw.text)")
    demand(path.bytes.allSatisfy { $0 >= 32 && $0 != 127 }, "a control character in path \(raw.text)")
    demand(!path.bytes.split(separator: 47).contains { $0.elementsEqual([46, 46]) }, "path \(raw.text)")
    demand(!head.isPathPlain || path.bytes.elementsEqual(raw), "\(raw.text) is not plain")
    var parts = ["\(head.method)", path.text, "\(head.contentLength ?? -1)"]
    parts.append("\(head.isChunked) \(head.isHTTP11) \(head.isKeepAlive) \(head.expectsContinue)")
    for field in HeaderField.allCases {
        let value = bytes[part: head[field].range]
        demand(value.allSatisfy { $0 >= 32 && $0 != 127 || $0 == 9 }, "a control character in \(field)")
        parts.append(value.text)
    }
    return parts
}

/// Parses like a connection: all received bytes are parsed again whenever more arrive.
private func headInPieces(_ input: Pieces) -> Outcome {
    var pieces = input
    var end = 0
    while end < pieces.bytes.count {
        end = pieces.end(after: end)
        let now = withTightCopy(UnsafeRawBufferPointer(rebasing: pieces.bytes[..<end]), outcome)
        if now != .incomplete { return now }
    }
    return .incomplete
}

private struct Chunks: Equatable {
    var consumed = 0
    var data: [UInt8] = []
    var isDone = false
    var isRefused = false
}

private func chunkedWhole(_ bytes: UnsafeRawBufferPointer) -> Chunks {
    var decoder = ChunkedBody()
    var data = ByteBuffer()
    var result = Chunks()
    withTightCopy(bytes) { consume($0, &decoder, &data, &result) }
    result.data = Array(data.bytes)
    return result
}

private func chunkedInPieces(_ input: Pieces) -> Chunks {
    var pieces = input
    var decoder = ChunkedBody()
    var data = ByteBuffer()
    var result = Chunks()
    var end = 0
    while end < pieces.bytes.count, !result.isRefused {
        end = pieces.end(after: end)
        let waiting = UnsafeRawBufferPointer(rebasing: pieces.bytes[result.consumed..<end])
        withTightCopy(waiting) { consume($0, &decoder, &data, &result) }
    }
    result.data = Array(data.bytes)
    return result
}

private func consume(
    _ bytes: UnsafeRawBufferPointer,
    _ decoder: inout ChunkedBody,
    _ data: inout ByteBuffer,
    _ result: inout Chunks
) {
    do throws(RequestError) {
        let taken = try decoder.consume(bytes, into: &data)
        demand(taken >= 0 && taken <= bytes.count, "took \(taken) of \(bytes.count)")
        result.consumed += taken
        result.isDone = decoder.isDone
    } catch {
        demand(error.status == 400, "status \(error.status)")
        result.consumed = 0  // without meaning after a refusal
        result.isRefused = true
    }
}
