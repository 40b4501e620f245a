import CPicture
import Engine
import Glibc
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct EditMaskTests {
    static let kinds = [
        PICTURE_RGBA, PICTURE_GREY_ALPHA, PICTURE_RGBA_16, PICTURE_PALETTE, PICTURE_RGB_KEY, PICTURE_RGB,
    ]

    private func grey(_ mask: Body) -> (width: Int, values: [UInt8])? {
        var (width, height): (UInt32, UInt32) = (0, 0)
        let bytes = mask.bytes.bindMemory(to: UInt8.self)
        guard let values = picture_read(bytes.baseAddress, bytes.count, &width, &height) else { return nil }
        defer { free(values) }
        return (Int(width), Array(UnsafeBufferPointer(start: values, count: Int(width * height))))
    }

    private func converted(_ mask: [UInt8], width: Int, height: Int) throws(MaskError) -> Body {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: mask.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: mask)
        return try EditMask.converted(UnsafeRawBufferPointer(copy), for: ImageSize(width: width, height: height))
    }

    private func flaw(_ mask: [UInt8], width: Int, height: Int) -> MaskError? {
        do throws(MaskError) {
            _ = try converted(mask, width: width, height: height)
            return nil
        } catch { return error }
    }

    @Test("transparent becomes white, the rest black, whatever kind of PNG", arguments: 0..<5, [false, true])
    func converts(kind: Int, isInterlaced: Bool) throws {
        var random = Seeded(UInt64(kind))
        for (width, height) in [(1, 1), (3, 2), (8, 8), (17, 31), (200, 3)] {
            let alphas = (0..<(width * height)).map { _ in random.pick([0, 127, 128, 255] as [UInt8]) }
            let mask = png(alphas, width: width, Self.kinds[kind], isInterlaced: isInterlaced)
            let made = try #require(grey(try converted(mask, width: width, height: height)))
            let isKey = Self.kinds[kind] == PICTURE_RGB_KEY
            #expect(made.width == width)
            #expect(made.values == alphas.map { $0 == 0 || !isKey && $0 < 128 ? 255 : 0 })
        }
    }

    @Test("without transparency, of another size, or none at all it is refused")
    func refuses() {
        #expect(flaw(png([1, 2], width: 2, PICTURE_RGB), width: 2, height: 1) == .noAlpha)
        #expect(flaw(png([1, 2], width: 2), width: 1, height: 2) == .otherSize)
        for bytes in [[], [0x89, 0x50], Array("GIF89a\u{1}\u{0}\u{1}\u{0}".utf8)] as [[UInt8]] {
            #expect(flaw(bytes, width: 1, height: 1) == .broken)
        }
    }

    @Test("cut anywhere it is broken, and changed anywhere nothing worse", arguments: [false, true])
    func damaged(isInterlaced: Bool) {
        let whole = png((0..<600).map { UInt8($0 & 255) }, width: 30, isInterlaced: isInterlaced)
        for end in 0..<(whole.count - 12) {  // the last chunk holds nothing
            #expect(flaw(Array(whole[..<end]), width: 30, height: 20) == .broken, "\(end)")
        }
        for index in whole.indices {
            for bit in 0..<8 {
                var changed = whole
                changed[index] ^= 1 << bit
                _ = flaw(changed, width: 30, height: 20)
            }
        }
    }

    @Test("a size that no mask has is refused by its header alone")
    func huge() {
        var bomb = png([0], width: 1)
        for (width, height) in [(0x7fff_ffff, 0x7fff_ffff), (0xffff_ffff, 1), (4_097, 4_096), (100_000, 100_000)] {
            for (offset, value) in [(16, width), (20, height)] {
                for byte in 0..<4 { bomb[offset + byte] = UInt8(value >> (24 - 8 * byte) & 255) }
            }
            let flaw = flaw(bomb, width: width, height: height)
            #expect(flaw == (width < 1 << 31 ? .tooLarge : .broken))
        }
    }

    @Test("a worker converts it while the loop goes on")
    func worker() async throws {
        let worker = WorkQueue(bytes: 1 << 24)
        let mask = png([0, 255], width: 2)
        let made = await onLoop { loop in
            var buffer = ByteBuffer()
            mask.withUnsafeBytes { buffer.append($0) }
            let size = ImageSize(width: 2, height: 1)
            return try? await EditMask.converted(Body(buffer), for: size, by: worker, on: loop)
        }
        #expect(grey(try #require(made))?.values == [255, 0])
        worker.stop()
    }
}
