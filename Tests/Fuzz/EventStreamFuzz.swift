/// Fuzzes server-sent events. They are the same however the bytes are cut, and equal those of a plain parser. Only an
/// unfinished event is kept. The bytes past an event's end are readable, as the JSON parser needs.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEventStream(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var pieces = Pieces(UnsafeRawBufferPointer(start: data, count: count))
    let plain = plainReading(Array(pieces.bytes))
    var whole = EventStreamParser()
    var events: [Event] = []
    feed(pieces.bytes, &whole, &events)
    demand(whole.waitingBytes <= unfinished(pieces.bytes), "\(whole.waitingBytes) bytes are kept")
    demand(events == plain, "whole \(events), plainly \(plain)")

    var cut = EventStreamParser()
    events.removeAll()
    var start = 0
    while start < pieces.bytes.count {
        let end = pieces.end(after: start)
        feed(UnsafeRawBufferPointer(rebasing: pieces.bytes[start..<end]), &cut, &events)
        let kept = unfinished(UnsafeRawBufferPointer(rebasing: pieces.bytes[..<end]))
        demand(cut.waitingBytes <= kept, "\(cut.waitingBytes) bytes are kept of \(kept)")
        start = end
    }
    demand(events == plain, "in pieces \(events), plainly \(plain)")

    var short = EventStreamParser()
    events.removeAll()
    feed(pieces.bytes, &short, &events, withTexts: true)
    demand(short.waitingBytes == whole.waitingBytes, "\(short.waitingBytes) bytes wait")
    demand(events == plain, "with texts \(events), plainly \(plain)")
    return 0
}

private let opening: StaticString = "event: n\ndata: {\"c\":\""
private let closing: StaticString = "\"}\n\n"

private struct Event: Equatable {
    let name: [UInt8]
    let data: [UInt8]
}

private func feed(
    _ bytes: UnsafeRawBufferPointer,
    _ parser: inout EventStreamParser,
    _ events: inout [Event],
    withTexts: Bool = false
) {
    var buffer = ByteBuffer()
    buffer.append(bytes)
    parser.append(&buffer)
    demand(buffer.isEmpty, "the bytes given were not taken")
    while true {
        if withTexts, let text = parser.text(between: UnsafeRawBufferPointer(opening), UnsafeRawBufferPointer(closing))
        {
            touchPadding(text)
            demand(!text.isEmpty && text.isPlain, "no plain text: \(text.text)")
            events.append(Event(name: Array("n".utf8), data: Array(#"{"c":""#.utf8) + text + Array(#""}"#.utf8)))
            continue
        }
        guard let event = parser.next() else { break }
        touchPadding(event.data)
        events.append(Event(name: Array(event.name), data: Array(event.data)))
    }
}

/// Returns the number of bytes after the last empty line.
private func unfinished(_ bytes: UnsafeRawBufferPointer) -> Int {
    var start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    var line = start
    while let end = bytes[line...].firstIndex(of: 10) {
        let isEmpty = end == line || end == line + 1 && bytes[line] == 13
        line = end + 1
        if isEmpty { start = line }
    }
    return bytes.count - start
}

/// Reads the padding, so that the sanitizer detects if it is missing.
private func touchPadding(_ data: UnsafeRawBufferPointer) {
    guard let base = data.baseAddress else { return }
    var sum: UInt8 = 0
    for offset in 0..<ByteBuffer.padding { sum ^= (base + data.count + offset).load(as: UInt8.self) }
    demand(sum >= 0, "unreachable, keeps the reads")
}

/// Parses events directly by the standard: lines end with LF or CR LF, and an empty line ends an event.
private func plainReading(_ input: [UInt8]) -> [Event] {
    var bytes = input[...]
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
    var events: [Event] = []
    var name: ArraySlice<UInt8> = []
    var data: [UInt8]?
    while let end = bytes.firstIndex(of: 10) {
        var line = bytes[bytes.startIndex..<end]
        bytes = bytes[(end + 1)...]
        if line.last == 13 { line = line.dropLast() }
        if line.isEmpty {
            if let data { events.append(Event(name: Array(name), data: data)) }
            name = []
            data = nil
            continue
        }
        let colon = line.firstIndex(of: 58) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == 32 { value = value.dropFirst() }
        let key = line[..<colon]
        if key.elementsEqual("event".utf8) { name = value }
        // Not a field of the standard, but some servers report their failures with it.
        let isError = key.elementsEqual("error".utf8) && colon < line.endIndex
        if isError { name = key }
        if isError || key.elementsEqual("data".utf8) { data = data.map { $0 + [10] + value } ?? Array(value) }
    }
    return events
}
