import Support
import Testing

@testable import Engine

@Suite struct ByteBufferTests {
    @Test(
        "decimals without zeros at the end",
        arguments: [
            (0, 0, 1_000, 1, "0"), (7, 0, 1_000, 100, "7.00"), (0, 5, 1_000, 1, "0.005"), (3, 500, 1_000, 1, "3.5"),
            (3, 500, 1_000, 100, "3.50"), (12, 34, 100, 1, "12.34"), (1, 999, 1_000, 10, "1.999"),
            (2, 10, 1_000, 1, "2.01"),
            (9_223_372, 36_854_775_807, 1_000_000_000_000, 1, "9223372.036854775807"),
        ]
    )
    func decimals(whole: Int, rest: Int, scale: Int, least: Int, text: String) {
        #expect(String(decimal: whole, rest: rest, of: scale, least: least) == text)
    }

    @Test(
        "a mix of all changes leaves what a plain array has, with room past the end",
        arguments: 0..<20 as Range<UInt64>
    )
    func equalsModel(seed: UInt64) {
        var random = Seeded(seed)
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for step in 0..<400 {
            switch random.below(11) {
            case 0, 1, 2:
                let more = (0..<random.below(random.pick([4, 70, 700]))).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                more.withUnsafeBytes { buffer.append($0) }
                model += more
            case 3:
                buffer.append(UInt8(step & 255))
                model.append(UInt8(step & 255))
            case 4, 5:
                let count = random.below(model.count + 1)
                buffer.removeFirst(count)
                model.removeFirst(count)
            case 6:
                let count = random.below(model.count + 1) / 4
                buffer.removeLast(count)
                model.removeLast(count)
            case 7:
                let count = random.below(20)
                let room = buffer.reserve(count + random.below(100))
                for index in 0..<count { room.storeBytes(of: 7, toByteOffset: index, as: UInt8.self) }
                buffer.wrote(count)
                model += [UInt8](repeating: 7, count: count)
            case 8 where model.isEmpty:
                buffer.reserve(random.below(300), front: random.below(40))
            case 8:
                let more = [UInt8](repeating: 9, count: random.below(buffer.frontBytes + 1))
                more.withUnsafeBytes { buffer.prepend($0) }
                model = more + model
            case 9:
                let more = (0..<3).map { _ in [UInt8](repeating: 3, count: random.below(50)) }
                more[0].withUnsafeBytes { first in
                    more[1].withUnsafeBytes { second in
                        more[2].withUnsafeBytes { buffer.append(first, second, $0) }
                    }
                }
                model += more.joined()
            default:
                guard random.below(12) == 0 else { continue }
                if random.below(2) == 0 { buffer.removeAll() } else { buffer.release() }
                model = []
            }
            let (bytes, count, isEmpty) = (Array(buffer.bytes), buffer.count, buffer.isEmpty)
            #expect(bytes == model && count == model.count && isEmpty == model.isEmpty, "step \(step)")
            let end = buffer.start + buffer.count
            let hasRoom = buffer.storage == nil ? count == 0 : end + ByteBuffer.padding <= buffer.capacity
            #expect(hasRoom, "step \(step)")
            guard bytes == model else { return }
        }
    }

    @Test("buffers of a loop, which keeps their room for others, hold what is theirs")
    func keptRoom() {
        let thread = LoopThread()
        thread.loop.call {
            var random = Seeded(1)
            for _ in 0..<20 {
                var held: [(body: Body, byte: UInt8, count: Int)] = []
                for byte in 0..<150 as Range<UInt8> {
                    var buffer = ByteBuffer()
                    while random.below(5) > 0 {
                        for _ in 0..<random.below(3_000) { buffer.append(byte) }
                    }
                    let count = buffer.count
                    held.append((Body(buffer), byte, count))
                    if random.below(3) == 0 { held.remove(at: random.below(held.count)) }
                }
                for one in held {
                    let isOwn = one.body.bytes.count == one.count && one.body.bytes.allSatisfy { $0 == one.byte }
                    #expect(isOwn, "\(one.byte)")
                }
            }
            thread.loop.stop()
        }
        thread.join()
    }

    @Test("bytes that go in and out do not make it grow")
    func staysSmall() {
        var buffer = ByteBuffer()
        for number in 0..<10_000 {
            buffer.append("twelve bytes")
            if number > 0 { buffer.removeFirst(12) }
        }
        let (text, capacity) = (buffer.text, buffer.capacity)
        #expect(text == "twelve bytes")
        #expect(capacity == 256)
    }

    @Test("numbers", arguments: [0, 1, 9, 10, 99, 100, -1, -10, 255, 4_096, Int.max, Int.min])
    func numbers(_ number: Int) {
        var buffer = ByteBuffer()
        buffer.append(decimal: number)
        buffer.append(" ")
        buffer.append(hex: number.magnitude)
        let text = buffer.text
        #expect(text == "\(number) " + String(number.magnitude, radix: 16))
    }

    @Test("comparisons", arguments: ["", "a", "A", "ab", "abc", "\u{e4}"])
    func compares(_ text: String) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(bytes.equals("ab") == (text == "ab"))
            #expect(bytes.hasPrefix("a") == text.hasPrefix("a"))
            #expect(bytes.equalsLowered("a") == (text == "a" || text == "A"))
            #expect(bytes.equals("") == text.isEmpty && bytes.hasPrefix(""))
            #expect(bytes.first(98) == Array(text.utf8).firstIndex(of: 98))
        }
        Array(" \t\(text)\t ".utf8).withUnsafeBytes { #expect($0.trimmed.text == text) }
    }
}
