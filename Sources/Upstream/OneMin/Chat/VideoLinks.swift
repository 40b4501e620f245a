import Engine

/// Finds links to YouTube videos in a prompt, because 1min.ai reads such videos and charges for them.
enum VideoLinks {
    private static let hosts: [StaticString] = ["youtube.com", "youtu.be", "youtube-nocookie.com"]

    /// Changes all video links so that the vendor does not follow them: `youtube.com` becomes `youtube[.]com`.
    static func breakAll(in body: inout ByteBuffer, from start: Int) {
        let text = body.bytes[part: start..<body.count]
        var dots: [Int] = []
        for index in text.indices where text[index] == UInt8(ascii: ".") && isDotOfHost(index, text) {
            dots.append(start + index)
        }
        if dots.isEmpty { return }
        var out = ByteBuffer()
        _ = out.reserve(body.count + 2 * dots.count)
        var end = 0
        for dot in dots {
            out.append(body.bytes[part: end..<dot])
            out.append("[.]")
            end = dot + 1
        }
        out.append(body.bytes[part: end..<body.count])
        swap(&body, &out)
    }

    private static func isDotOfHost(_ dot: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        hosts.contains { host in
            host.withUTF8Buffer { host in
                guard let hostDot = host.lastIndex(of: UInt8(ascii: ".")), dot >= hostDot,
                    dot - hostDot + host.count <= text.count
                else { return false }
                return host.indices.allSatisfy { index in
                    let byte = text[dot - hostDot + index]
                    return ((65...90).contains(byte) ? byte | 32 : byte) == host[index]
                }
            }
        }
    }
}
