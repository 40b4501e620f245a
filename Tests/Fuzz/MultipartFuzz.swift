/// Fuzzes forms. The events are the same however the bytes are cut, and equal those of a plain parser. There is no read
/// past the end, and little is kept.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMultipart(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var pieces = Pieces(UnsafeRawBufferPointer(start: data, count: count))
    fuzzContentType(pieces.bytes)
    var form = Form()
    form.consume(pieces.bytes)
    form.close()
    var cut = Form()
    var start = 0
    while start < pieces.bytes.count, !cut.isRefused {
        let end = pieces.end(after: start)
        cut.consume(UnsafeRawBufferPointer(rebasing: pieces.bytes[start..<end]))
        start = end
    }
    cut.close()
    demand(form.seen == cut.seen, "whole \(form.seen), in pieces \(cut.seen)")
    let expected = reference(Array(pieces.bytes))
    let seen = form.seen
    demand(seen.isRefused || seen.isWhole == expected.isWhole, "\(seen) for \(expected)")
    let ended = seen.parts.prefix(seen.ended).map(\.data)
    demand(ended == Array(expected.data.prefix(seen.ended)), "\(seen) for \(expected)")
    demand(seen.isRefused || seen.ended == expected.data.count, "\(seen) for \(expected)")
    return 0
}

private let boundary = "AaB"

private struct Part: Equatable {
    let head: MultipartPart
    var data: [UInt8] = []
}

private struct Seen: Equatable {
    var parts: [Part] = []
    var ended = 0
    var isWhole = false
    var isRefused = false
}

private struct Form: ~Copyable {
    var seen = Seen()
    private var reader: MultipartReader

    init() {
        let contentType = ByteBuffer("multipart/form-data; boundary=\(boundary)")
        guard let reader = try? MultipartReader(contentType: contentType.bytes) else { fail("a good boundary") }
        self.reader = reader
    }

    var isRefused: Bool { seen.isRefused }

    mutating func consume(_ bytes: UnsafeRawBufferPointer) {
        var piece = ByteBuffer()
        piece.append(bytes)
        reader.append(&piece)
        demand(piece.isEmpty, "not all was taken over")
        do throws(RequestError) {
            while let event = try reader.next() { consume(event) }
            demand(reader.waitingBytes <= MultipartReader.headerLimitBytes, "\(reader.waitingBytes) wait")
        } catch {
            demand(error.status == 400, "status \(error.status)")
            seen.isRefused = true
        }
    }

    private mutating func consume(_ event: MultipartEvent) {
        demand(!seen.isWhole, "\(event) after the end")
        switch event {
        case .part(let part):
            demand(seen.ended == seen.parts.count, "a part in a part")
            check(part)
            seen.parts.append(Part(head: part))
        case .data(let bytes):
            demand(seen.ended == seen.parts.count - 1 && !bytes.isEmpty, "data outside of a part, or none")
            seen.parts[seen.ended].data += Array(bytes)
        case .partEnd:
            seen.ended += 1
            demand(seen.ended == seen.parts.count, "an end without a part")
        case .end:
            demand(seen.ended == seen.parts.count, "the end in a part")
            seen.isWhole = true
        }
    }

    private func check(_ part: MultipartPart) {
        demand(!part.name.isEmpty, "a part without a name")
        guard let filename = part.filename else { return }
        let isPlain = filename.utf8.allSatisfy { $0 >= 32 && $0 != 127 && $0 != 47 && $0 != 92 }
        demand(isPlain && filename != "." && filename != "..", "file name \(filename)")
    }

    /// Checks that the reader has emitted an end exactly if it accepts the end.
    mutating func close() {
        guard !seen.isRefused else { return }
        let isEnd = (try? reader.checkEnd()) != nil
        demand(isEnd == seen.isWhole, "end \(isEnd), told \(seen.isWhole)")
    }
}

/// Returns the parts' data, found by a plain search. The contents of header lines are ignored.
private func reference(_ bytes: [UInt8]) -> (data: [[UInt8]], isWhole: Bool) {
    var data: [[UInt8]] = []
    guard var mark = delimiter(bytes, from: 0) else { return (data, false) }
    while !mark.isFinal {
        guard let head = bytes[mark.end...].headEnd, let next = delimiter(bytes, from: head) else {
            return (data, false)
        }
        data.append(Array(bytes[head..<next.start]))
        mark = next
    }
    return (data, true)
}

private func delimiter(_ bytes: [UInt8], from: Int) -> (start: Int, end: Int, isFinal: Bool)? {
    for start in from..<max(from, bytes.count) {
        for text in start == from ? ["--\(boundary)", "\r\n--\(boundary)"] : ["\r\n--\(boundary)"]
        where bytes[start...].starts(with: text.utf8) {
            let tail = bytes[(start + text.utf8.count)...]
            if tail.starts(with: "--".utf8) { return (start, tail.startIndex + 2, true) }
            let end = tail.drop { $0 == 32 || $0 == 9 }
            let padding = end.startIndex - tail.startIndex
            if padding <= MultipartReader.paddingLimitBytes, end.starts(with: "\r\n".utf8) {
                return (start, end.startIndex + 2, false)
            }
        }
    }
    return nil
}

extension ArraySlice<UInt8> {
    /// The index after the first empty line; nil if there is none.
    fileprivate var headEnd: Int? {
        if starts(with: "\r\n".utf8) { return startIndex + 2 }
        return indices.first { self[$0...].starts(with: "\r\n\r\n".utf8) }.map { $0 + 4 }
    }
}

/// Uses the input as a Content-Type. Every input gives a result, and a boundary is within its bounds.
private func fuzzContentType(_ bytes: UnsafeRawBufferPointer) {
    withTightCopy(bytes) { bytes in
        guard let boundary = try? MultipartFields.boundary(bytes) else { return }
        demand((1...70).contains(boundary.utf8.count), "boundary \(boundary)")
    }
}
