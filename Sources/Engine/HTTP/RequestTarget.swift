/// Functions that check and decode the target of a request, such as `/v1/models?limit=2` (RFC 9112, 3.2).
enum RequestTarget {
    /// Returns the range of the path in `target`, and whether the path needs no decoding.
    static func path(
        _ target: UnsafeRawBufferPointer,
        method: Method
    ) throws(RequestError) -> (range: Range<Int>, isPlain: Bool) {
        if target.equals("*"), method == .options { return (0..<1, true) }
        let start = try startOfPath(target)
        let end = target[part: start..<target.count].first(63).map { start + $0 } ?? target.count
        var isPlain = start < end
        var offset = start
        while offset < target.count {
            switch target[offset] {
            case 37:
                guard offset + 2 < target.count, let high = target[offset + 1].hexValue,
                    let low = target[offset + 2].hexValue,
                    offset >= end || high * 16 + low >= 32 && high * 16 + low != 127
                else { throw RequestError(400, "The request target holds an invalid escape.") }
                if offset < end { isPlain = false }
                offset += 2
            case 35: throw RequestError(400, "The request target holds a fragment.")
            case 33...126:
                if target[offset] == 47, offset > start, offset < end, target[offset - 1] == 47 { isPlain = false }
            default: throw RequestError(400, "The request target holds an invalid character.")
            }
            offset += 1
        }
        if end > start + 1, target[end - 1] == 47 { isPlain = false }
        try refuseParents(target[part: start..<end])
        return (start..<end, isPlain)
    }

    private static func startOfPath(_ target: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        if target.first == 47 { return 0 }
        let scheme = target.prefix(8)
        let length = UnsafeRawBufferPointer(rebasing: scheme).equalsLowered("https://") ? 8 : 7
        let isAbsolute =
            length == 8 || UnsafeRawBufferPointer(rebasing: scheme.prefix(7)).equalsLowered("http://")
        guard isAbsolute, length <= target.count else { throw RequestError(400, "The request target is malformed.") }
        let end = target[length...].firstIndex { $0 == 47 || $0 == 63 } ?? target.count
        guard isHost(target[part: length..<end]) else {
            throw RequestError(400, "The host of the request target is invalid.")
        }
        return end
    }

    /// Throws if the path contains a `..` segment, also in an escaped form such as `%2e%2e`.
    private static func refuseParents(_ path: UnsafeRawBufferPointer) throws(RequestError) {
        guard path.first(46) != nil || path.first(37) != nil else { return }
        var decoded = ByteBuffer()
        normalise(path, into: &decoded)
        for segment in decoded.bytes.split(separator: 47) where segment.elementsEqual([46, 46]) {
            throw RequestError(400, "The path of the request target points above its root.")
        }
    }

    /// Appends the decoded path without repeated and trailing slashes. An empty path becomes `/`. The path's escapes
    /// must have been checked before.
    static func normalise(_ path: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        var offset = 0
        let before = out.count
        while offset < path.count {
            var byte = path[offset]
            if byte == 37, let high = path[offset + 1].hexValue, let low = path[offset + 2].hexValue {
                byte = high * 16 + low
                offset += 2
            } else if byte == 47, out.count > before, out.bytes.last == 47 {
                offset += 1
                continue
            }
            out.append(byte)
            offset += 1
        }
        if out.count > before + 1, out.bytes.last == 47 { out.removeLast(1) }
        if out.count == before { out.append(47) }
    }

    /// Returns the decoded name or value of a query item. The escapes must have been checked before.
    static func decoded(_ field: Slice<UnsafeRawBufferPointer>) -> String {
        var out = ByteBuffer()
        var rest = field
        while let byte = rest.popFirst() {
            if byte == 37, let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue {
                out.append(high * 16 + low)
            } else {
                out.append(byte == 43 ? 32 : byte)
            }
        }
        return out.text
    }
}
