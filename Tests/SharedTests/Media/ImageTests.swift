import Engine
import Support
import Testing

@testable import Shared

@Suite(.timeLimit(.minutes(1))) struct ImageTests {
    /// Returns the result of a URL: `png 2x1`, or status, code and message.
    private func load(_ url: String, isFetching: Bool = true, limitBytes: Int = 1_000_000) async -> String {
        _ = prepared
        return await onLoop { loop in
            let rule = AddressRule(adding: ["127.0.0.1/32"].compactMap { Network($0) })
            let client = CurlClient(loop: loop, rule: rule)
            let fetcher = Fetcher(Fetcher.FetchConditions(schemes: ["http"], agent: "test"), client)
            _ = Unmanaged.passRetained(fetcher)
            return await result { () async throws(APIError) in
                try await Image.fetch(
                    url,
                    by: isFetching ? fetcher : nil,
                    limitBytes: limitBytes,
                    param: "messages"
                )
            }
        }
    }

    /// Returns the result of an image's bytes, in the same form.
    private func read(_ bytes: [UInt8]) async -> String {
        let body = bytes.withUnsafeBytes { Body(copying: $0) }
        return await result { () async throws(APIError) in try Image(body, param: "messages") }
    }

    private func result(_ make: () async throws(APIError) -> Image) async -> String {
        do throws(APIError) {
            let image = try await make()
            return "\(image.type) \(image.size.map { "\($0.width)x\($0.height)" } ?? "-")"
        } catch {
            #expect(error.param == "messages")
            return "\(error.status) \(error.code.map { "\($0)" } ?? "-") \(error.message)"
        }
    }

    @Test("a picture of a million empty parts is damaged, and not walked through")
    func emptyParts() {
        let fill = [0xff, 0xd8] + [UInt8](repeating: 0xff, count: 100_000) + [0xc0, 0, 17, 8, 0, 1, 0, 1, 1, 0, 0, 0]
        #expect(fill.withUnsafeBytes { ImageSize(of: .jpeg, $0) } == nil)
        let less = [0xff, 0xd8] + [UInt8](repeating: 0xff, count: 1_000) + [0xc0, 0, 17, 8, 0, 1, 0, 1, 1, 0, 0, 0]
        #expect(less.withUnsafeBytes { ImageSize(of: .jpeg, $0) } == ImageSize(width: 1, height: 1))
    }

    @Test("an image is judged by what it holds")
    func content() async {
        let png = png([0, 1], width: 2)
        #expect(await read(png) == "png 2x1")
        #expect(await read(Array("<svg/>".utf8)) == "svg -")
        #expect(await read(Array("not a picture".utf8)).hasPrefix("400 invalid_image_format"))
        #expect(await read(Array(png.prefix(20))).hasPrefix("400 invalid_image_format"))
        #expect(await read([]).hasPrefix("400 invalid_image_format"))
        var bomb = png
        bomb.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
        #expect(await read(bomb).hasPrefix("400 image_too_large"))
        bomb.replaceSubrange(16..<24, with: [UInt8](repeating: 0xff, count: 8))
        #expect(await read(bomb).hasPrefix("400 invalid_image_format"), "sides whose product overflows")
    }

    @Test("a fetched one too; what is in the way of one says nothing of the network")
    func fetched() async {
        let png = png([0, 1], width: 2)
        let server = RawServer { peer, number in
            guard let request = peer.receiveRequest() else { return }
            switch request.head.split(separator: " ")[1] {
            case "/png":
                peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: \(png.count)\r\n\r\n")
                peer.send(png)
            case "/page": peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
            default: peer.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            }
        }
        #expect(await load(server.url("/png")) == "png 2x1")
        #expect(await load(server.url("/png"), limitBytes: 10).hasPrefix("400 image_too_large"))
        #expect(await load(server.url("/page")).hasPrefix("400 invalid_image_format"))
        let failures = [
            await load(server.url("/error")), await load("http://127.0.0.2:\(server.port)/png"),
            await load("http://127.0.0.1:1/"), await load("http://10.0.0.1/"),
        ]
        #expect(Set(failures) == ["400 invalid_image_url Invalid image: 'messages' could not be downloaded."])
        for url in ["ftp://x/", "https://example.org/", "cat.png", ""] {
            #expect(await load(url).hasPrefix("400 invalid_image_url"), "\(url)")
        }
        #expect(await load(server.url("/png"), isFetching: false).contains("data: URL"))
    }
}

private let prepared: Void = CurlClient.prepareProcess()
