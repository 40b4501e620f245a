package import Engine

/// Bytes that came in base64, and stay so until they are wanted.
///
/// `@unchecked`: used on its request's loop only.
package final class Base64Text: @unchecked Sendable {
    private var text = ByteBuffer()

    /// What is decoded, or digested, before the loop serves others; a multiple of 12.
    private static let sliceBytes = 196_608

    package init(_ text: UnsafeRawBufferPointer) { self.text.append(text) }

    /// How many bytes it stands for, at most.
    package var decodedBytes: Int { (text.count + 3) / 4 * 3 }

    package var isEmpty: Bool { text.isEmpty }

    /// Frees it.
    package func release() { text.release() }

    /// Nil: not base64.
    package func decoded(on loop: EventLoop) async -> Body? {
        var bytes = ByteBuffer()
        guard bytes.canReserve(decodedBytes) else { return nil }
        var place = 0
        while place < text.count {
            let slice = text.bytes[part: place..<min(place + Self.sliceBytes, text.count)]
            place += slice.count
            // Padding stands at the end only.
            guard place == text.count || slice.last != UInt8(ascii: "="),
                let part = Base64.standard.bytes(slice)
            else { return nil }
            part.withUnsafeBytes { bytes.append($0) }
            if place < text.count { await loop.sleep(nanoseconds: 0) }
        }
        return Body(bytes)
    }

    /// A digest that only the same text has.
    package func digest(on loop: EventLoop) async -> Digest {
        await Digest(inSlicesOf: text.bytes, Self.sliceBytes, loop)
    }
}

extension Digest {
    /// Of the digests of slices, between which the loop serves others; `bytes` must stay where they are.
    init(inSlicesOf bytes: UnsafeRawBufferPointer, _ sliceBytes: Int, _ loop: EventLoop) async {
        var digests = ByteBuffer()
        var place = 0
        repeat {
            let slice = bytes[part: place..<min(place + sliceBytes, bytes.count)]
            place += slice.count
            Digest(of: slice).withBytes { digests.append($0) }
            if place < bytes.count { await loop.sleep(nanoseconds: 0) }
        } while place < bytes.count
        self.init(of: digests.bytes)
    }

    /// The same of bytes that are somebody's.
    package init(inSlicesOf body: Body, on loop: EventLoop) async {
        self = await Digest(inSlicesOf: body.bytes, 262_144, loop)
        withExtendedLifetime(body) {}
    }
}
