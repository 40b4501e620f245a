extension ByteBuffer {
    /// Appends `data` in standard base64, padded, without line breaks (RFC 4648, 4).
    package mutating func append(base64 data: UnsafeRawBufferPointer) {
        let whole = data.count / 3 * 3
        let length = (data.count + 2) / 3 * 4
        let room = reserve(length)
        var place = 0
        for index in stride(from: 0, to: whole, by: 3) {
            let word = UInt32(data[index]) << 16 | UInt32(data[index + 1]) << 8 | UInt32(data[index + 2])
            room.storeBytes(of: letters(word), toByteOffset: place, as: UInt32.self)
            place += 4
        }
        if data.count > whole {
            let second = data.count - whole == 2 ? UInt32(data[whole + 1]) : 0
            room.storeBytes(of: letters(UInt32(data[whole]) << 16 | second << 8), toByteOffset: place, as: UInt32.self)
            let padding = data.count - whole == 2 ? 1 : 2
            for index in (length - padding)..<length {
                room.storeBytes(of: UInt8(ascii: "="), toByteOffset: index, as: UInt8.self)
            }
        }
        wrote(length)
    }
}

/// Four letters for 24 bits, the first in the lowest byte.
private func letters(_ word: UInt32) -> UInt32 {
    letter(word >> 18 & 63) | letter(word >> 12 & 63) << 8 | letter(word >> 6 & 63) << 16 | letter(word & 63) << 24
}

private func letter(_ value: UInt32) -> UInt32 {
    switch value {
    case 0..<26: value + 65
    case 26..<52: value + 71
    case 52..<62: value - 4
    case 62: 43
    default: 47
    }
}
