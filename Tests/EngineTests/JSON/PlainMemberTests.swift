import Support
import Testing

@testable import Engine

@Suite struct PlainMemberTests {
    @Test(
        "what it takes, the parser reads in the same way; what it leaves was not plain",
        arguments: 0..<20 as Range<UInt64>
    )
    func agreesWithParser(seed: UInt64) {
        var random = Seeded(seed)
        let parser = JSONParser()
        for _ in 0..<300 {
            let text = almostPlain(&random)
            let buffer = ByteBuffer(text)
            let taken = buffer.bytes.plainMember(#"{"content":""#)?.text
            #expect(taken == plainValue(text), "\(text)")
            guard let taken else { continue }
            withExtendedLifetime(parser) {
                let root = try? parser.parse(buffer.bytes)
                #expect(root?.members?.count == 1, "\(text)")
                #expect(root?["content"]?.string == taken, "\(text)")
            }
        }
    }

    private func almostPlain(_ random: inout Seeded) -> String {
        var text = random.pick([opening, opening, opening, #"{"content": ""#, #"{ "content":""#, #"{"contenT":""#, ""])
        for _ in 0..<random.below(20) {
            text += random.pick(["a", "b", " ", "cdefghij", "\u{7f}", "{", "}", ":", ","])
        }
        if random.below(3) == 0 {
            let odd = random.pick(["\"", "\\", "\\n", "\\u0041", "\u{e4}", "\u{1f310}", "\n", "\u{1}", #"","x":"y"#])
            let place = text.index(text.startIndex, offsetBy: random.below(text.count + 1))
            text.insert(contentsOf: odd, at: place)
        }
        return text + random.pick([#""}"#, #""}"#, #""}"#, #"" }"#, #""}}"#, #"""#, "}", ""])
    }

    private let opening = #"{"content":""#

    /// The same, straight from the description.
    private func plainValue(_ text: String) -> String? {
        guard text.utf8.count >= opening.utf8.count + 2, text.hasPrefix(opening), text.hasSuffix(#""}"#) else {
            return nil
        }
        let value = text.dropFirst(opening.count).dropLast(2)
        let isPlain = value.utf8.allSatisfy { $0 >= 32 && $0 < 128 && $0 != 34 && $0 != 92 }
        return isPlain ? String(value) : nil
    }

    @Test("one odd byte is seen wherever it stands", arguments: [0, 31, 34, 92, 128, 255] as [UInt8])
    func seesOddBytes(_ odd: UInt8) {
        for length in 1..<34 {
            for place in 0..<length {
                var value = [UInt8](repeating: 97, count: length)
                value[place] = odd
                let bytes = Array(opening.utf8) + value + [34, 125]
                let isTaken = bytes.withUnsafeBytes { $0.plainMember(#"{"content":""#) != nil }
                if isTaken { Issue.record("\(odd) at \(place) of \(length)") }
            }
        }
    }

    @Test("ASCII is told from the rest wherever that stands")
    func isASCII() {
        for length in 0..<34 {
            var bytes = [UInt8](repeating: 0x7f, count: length)
            #expect(bytes.withUnsafeBytes { $0.isASCII })
            for place in 0..<length {
                bytes[place] = 0x80
                if bytes.withUnsafeBytes({ $0.isASCII }) { Issue.record("\(place) of \(length)") }
                bytes[place] = 0
            }
        }
    }

    @Test("a plain text is told from one with an odd byte wherever that stands", arguments: [0, 31, 34, 92, 128, 255])
    func isPlain(_ odd: UInt8) {
        for length in 0..<34 {
            var bytes = [UInt8](repeating: 0x7f, count: length)
            #expect(bytes.withUnsafeBytes { $0.isPlain })
            for place in 0..<length {
                bytes[place] = odd
                if bytes.withUnsafeBytes({ $0.isPlain }) { Issue.record("\(odd) at \(place) of \(length)") }
                bytes[place] = 32
            }
        }
    }

    @Test("UTF-8 is judged as the standard library judges it")
    func isUTF8() {
        let seconds: [UInt8] = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff]
        for first in 0...255 as ClosedRange<UInt8> {
            for second in seconds {
                for third in seconds {
                    for bytes in [[first], [first, second], [first, second, third], [first, second, third, 0x80]] {
                        let isValid = String(validating: bytes, as: UTF8.self) != nil
                        if bytes.withUnsafeBytes({ $0.isUTF8 }) != isValid { Issue.record("\(bytes)") }
                    }
                }
            }
        }
    }
}
