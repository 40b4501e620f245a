extension Record {
    /// The reason why bytes are not a valid record of this version.
    package enum ReadError: String, Error {
        case length
        case format
        case number
        case counts
        case lease
    }

    package static let encodedBound = 4_096
    private static let format: UInt8 = 1
    /// The format of a record with turns: a record, the number of its future buckets, and for each of them the distance
    /// from the one before and its units.
    private static let turnsFormat: UInt8 = 4
    /// The format of a record with an origin: the version and the length of the origin, the origin, and the record.
    private static let restoredFormat: UInt8 = 3

    /// Encodes the record: the format, newest bucket, random id (`birth`), lease and counts (newest first).
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(160)
        if let origin {
            let copy = origin.record.encoded()
            bytes.append(Self.restoredFormat)
            Varint.write(origin.version, to: &bytes)
            Varint.write(copy.count, to: &bytes)
            bytes += copy
        }
        bytes.append(future.isEmpty ? Self.format : Self.turnsFormat)
        Varint.write(newest, to: &bytes)
        Varint.write(birth, to: &bytes)
        Varint.write(lease.units, to: &bytes)
        if lease.units > 0 { Varint.write(lease.endMilliseconds, to: &bytes) }
        let rest = forEachRun { empty, count in
            Self.writeRun(empty, to: &bytes)
            Varint.write(count, to: &bytes)
        }
        Self.writeRun(rest, to: &bytes)
        if !future.isEmpty { writeFuture(to: &bytes) }
        return bytes
    }

    private func writeFuture(to bytes: inout [UInt8]) {
        Varint.write(future.count, to: &bytes)
        var last = newest
        for bucket in future {
            Varint.write(bucket.number - last, to: &bytes)
            Varint.write(bucket.units, to: &bytes)
            last = bucket.number
        }
    }

    private mutating func readFuture(_ reader: inout Varint.Reader) throws(ReadError) {
        guard let count = reader.number(), count > 0, count <= reader.rest.count else { throw .counts }
        var last = newest
        for _ in 0..<count {
            guard let distance = reader.number(), distance > 0, let units = reader.number(), units > 0,
                units <= Self.countBound, distance <= newest + futureBound - last
            else { throw .counts }
            last += distance
            future.append(FutureBucket(number: last, units: units))
        }
    }

    private static func writeRun(_ length: Int, to bytes: inout [UInt8]) {
        switch length {
        case 0: break
        case 1: bytes.append(0)
        default:
            bytes.append(Varint.run)
            bytes.append(UInt8(length))
        }
    }

    /// Decodes a record. Checks all of its bytes.
    package init(_ bytes: [UInt8], _ layout: BucketLayout) throws(ReadError) {
        guard bytes.count <= Self.encodedBound else { throw .length }
        var reader = Varint.Reader(rest: bytes[...])
        if reader.rest.first == Self.restoredFormat {
            _ = reader.byte()
            guard let version = reader.word(), let length = reader.number(), length <= reader.rest.count,
                bytes.count > length, reader.rest.first != Self.restoredFormat
            else { throw .format }
            let copy = try Record(Array(reader.rest.prefix(length)), layout)
            let rest = Array(reader.rest.dropFirst(length))
            guard rest.first != Self.restoredFormat else { throw .format }
            self = try Record(rest, layout)
            origin = RecordOrigin(copy, version: version)
            return
        }
        let format = reader.byte()
        guard format == Self.format || format == Self.turnsFormat else { throw .format }
        guard let newest = reader.number(), newest <= layout.bucket(at: .max), let birth = reader.word() else {
            throw .number
        }
        self.init(layout, newest: newest, birth: birth)
        guard let leased = reader.number(), leased <= Self.countBound else { throw .lease }
        if leased > 0 {
            guard let end = reader.number(), end <= layout.windowMicroseconds / 1_000 else { throw .lease }
            lease = Lease(units: leased, endMilliseconds: end)
        }
        var bucket = newest
        while bucket >= oldest {
            if reader.rest.first == Varint.run {
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
        guard bucket == oldest - 1 else { throw .counts }
        if format == Self.turnsFormat { try readFuture(&reader) }
        guard reader.rest.isEmpty else { throw .counts }
    }
}
