extension Record {
    /// Why a value is none that this version writes.
    package enum Flaw: String, Error {
        case length
        case format
        case number
        case counts
        case lease
    }

    package static let encodedBound = 4_096
    private static let format: UInt8 = 1
    /// Numbers are written seven bits a byte, the highest first, all but the last byte with the high bit. None begins
    /// with this byte, so it marks a run of empty buckets.
    private static let run: UInt8 = 0x80
    private static let numberBound = 1 << 56

    /// Format, newest bucket, birth number, lease, then the counts, the newest first.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(160)
        bytes.append(Self.format)
        Self.write(newest, to: &bytes)
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: birth >> shift)) }
        Self.write(lease.units, to: &bytes)
        if lease.units > 0 { Self.write(lease.endMilliseconds, to: &bytes) }
        var empty = 0
        for bucket in stride(from: newest, through: oldest, by: -1) {
            let count = count(in: bucket)
            if count == 0 {
                empty += 1
                continue
            }
            Self.writeRun(empty, to: &bytes)
            empty = 0
            Self.write(count, to: &bytes)
        }
        Self.writeRun(empty, to: &bytes)
        return bytes
    }

    private static func writeRun(_ length: Int, to bytes: inout [UInt8]) {
        switch length {
        case 0: break
        case 1: bytes.append(0)
        default: bytes += [run, UInt8(length)]
        }
    }

    private static func write(_ number: Int, to bytes: inout [UInt8]) {
        var shift = 0
        while number >> (shift + 7) > 0 { shift += 7 }
        while shift > 0 {
            bytes.append(UInt8(number >> shift & 127) | 0x80)
            shift -= 7
        }
        bytes.append(UInt8(number & 127))
    }

    /// Checks the whole value.
    package init(_ bytes: [UInt8], _ grid: Grid) throws(Flaw) {
        guard bytes.count <= Self.encodedBound else { throw .length }
        var reader = Reader(rest: bytes[...])
        guard reader.byte() == Self.format else { throw .format }
        guard let newest = reader.number(), reader.rest.count >= 8 else { throw .number }
        var birth: UInt64 = 0
        for _ in 0..<8 { birth = birth << 8 | UInt64(reader.byte() ?? 0) }
        self.init(grid, newest: newest, birth: birth)
        guard let leased = reader.number(), leased <= Self.countBound else { throw .lease }
        if leased > 0 {
            guard let end = reader.number(), end <= grid.windowMicroseconds / 1_000 else { throw .lease }
            lease = Lease(units: leased, endMilliseconds: end)
        }
        var bucket = newest
        while bucket >= oldest {
            if reader.rest.first == Self.run {
                _ = reader.byte()
                guard let length = reader.byte(), length >= 2 else { throw .counts }
                bucket -= Int(length)
                continue
            }
            guard let count = reader.number(), count <= Self.countBound, count == 0 || bucket >= 0 else {
                throw .counts
            }
            change(bucket, to: count)
            bucket -= 1
        }
        guard bucket == oldest - 1, reader.rest.isEmpty else { throw .counts }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func byte() -> UInt8? { rest.popFirst() }

        mutating func number() -> Int? {
            guard rest.first != Record.run else { return nil }
            var number = 0
            while let byte = rest.popFirst() {
                number = number << 7 | Int(byte & 127)
                guard number < Record.numberBound else { return nil }
                if byte < 128 { return number }
            }
            return nil
        }
    }
}
