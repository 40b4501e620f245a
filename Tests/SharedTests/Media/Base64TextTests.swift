import Engine
import Support
import Testing

@testable import Shared

@Suite(.timeLimit(.minutes(1))) struct Base64TextTests {
    private func decoded(_ text: String) async -> [UInt8]? {
        let buffer = Body(ByteBuffer(text))
        let worker = WorkQueue(bytes: 1 << 24)
        defer { worker.stop() }
        return await onLoop { loop in
            try? await Base64Text(buffer.bytes).decoded(on: loop, by: worker).map { Array($0.bytes) }
        }
    }

    @Test(
        "short or long, here or by the thread for it",
        arguments: [0, 1, 2, 147_455, 147_456, 147_457, 294_912, 400_001]
    )
    func slices(count: Int) async {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        #expect(await decoded(Base64.standard.text(bytes)) == bytes)
    }

    @Test("line ends are left out", arguments: ["\n", "\r\n"])
    func lines(end: String) async {
        #expect(await decoded("AAEC\(end)AwQF\(end)BgcI\(end)") == Array(0...8))
    }

    @Test("padding within is none")
    func padding() async {
        let slice = String(repeating: "A", count: 196_607) + "="
        #expect(await decoded(slice) != nil)
        #expect(await decoded(slice + "AAAA") == nil)
        #expect(await decoded("AA==AA==") == nil)
        #expect(await decoded(String(repeating: "A", count: 196_608) + "A") == nil)
    }

    @Test("digests are the same for the same text only")
    func digests() async {
        let text = String(repeating: "Ab", count: 300_000)
        let worker = WorkQueue(bytes: 1 << 24)
        defer { worker.stop() }
        let found: (Digest, Digest, Digest, Digest)? = await onLoop { loop in
            var digests: [Digest] = []
            for text in [text, text, text.dropLast() + "c", String(text.dropLast(2))] {
                let body = Body(ByteBuffer(text))
                if let digest = try? await Base64Text(body.bytes).digest(on: loop, by: worker) {
                    digests.append(digest)
                }
            }
            return digests.count == 4 ? (digests[0], digests[1], digests[2], digests[3]) : nil
        }
        guard let (one, same, other, shorter) = found else {
            Issue.record("no digests")
            return
        }
        #expect(one == same && one != other && one != shorter)
    }

    @Test("long text that nobody has time for is refused as that")
    func isBusy() async {
        let buffer = Body(ByteBuffer(String(repeating: "A", count: 400_000)))
        let worker = WorkQueue(bytes: 1 << 24)
        worker.stop()
        let status = await onLoop { loop in
            do throws(APIError) {
                _ = try await Base64Text(buffer.bytes).decoded(on: loop, by: worker)
                return 200
            } catch {
                return error.status
            }
        }
        #expect(status == 503)
    }

    @Test(
        "what a data URL holds",
        arguments: [
            ("data:image/png;base64,AAAA", "AAAA"), ("DATA:;x=y;BASE64,", ""), ("data:;base64,a,b", "a,b"),
            ("data:,abc", nil), ("data:", nil), ("data:base64,AA", nil), ("data:image/png;base64", nil),
        ] as [(String, String?)]
    )
    func dataURL(url: String, held: String?) {
        let buffer = ByteBuffer(url)
        #expect(DataURL(buffer.bytes)?.base64?.text == held)
        let other = ByteBuffer("x" + url)
        #expect(DataURL(other.bytes) == nil)
    }
}
