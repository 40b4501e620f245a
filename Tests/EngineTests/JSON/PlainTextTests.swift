import Support
import Testing

@testable import Engine

@Suite struct PlainTextTests {
    @Test("ASCII is told from the rest wherever that stands")
    func isASCII() {
        for length in 0..<34 {
            var bytes = [UInt8](repeating: 0x7f, count: length)
            #expect(bytes.withUnsafeBytes { $0.isASCII })
            for offset in 0..<length {
                bytes[offset] = 0x80
                if bytes.withUnsafeBytes({ $0.isASCII }) { Issue.record("\(offset) of \(length)") }
                bytes[offset] = 0
            }
        }
    }

    @Test("a plain text is told from one with an odd byte wherever that stands", arguments: [0, 31, 34, 92, 128, 255])
    func isPlain(_ odd: UInt8) {
        for length in 0..<34 {
            var bytes = [UInt8](repeating: 0x7f, count: length)
            #expect(bytes.withUnsafeBytes { $0.isPlain })
            for offset in 0..<length {
                bytes[offset] = odd
                if bytes.withUnsafeBytes({ $0.isPlain }) { Issue.record("\(odd) at \(offset) of \(length)") }
                bytes[offset] = 32
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
