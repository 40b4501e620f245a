import Engine

/// Converts the line ends CR and CR LF of an event stream to LF.
struct LineEndConverter {
    private var endsWithReturn = false

    mutating func unify(_ bytes: inout ByteBuffer) {
        guard endsWithReturn || bytes.bytes.first(13) != nil else { return }
        var out = ByteBuffer()
        _ = out.reserve(bytes.count)
        for byte in bytes.bytes {
            if byte != 10 || !endsWithReturn { out.append(byte == 13 ? 10 : byte) }
            endsWithReturn = byte == 13
        }
        swap(&bytes, &out)
    }
}
