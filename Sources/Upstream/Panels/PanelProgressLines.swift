package import Shared

/// A filter for the progress lines of a panel's stream, such as `gpt-5 ✅`. It removes them from later requests.
package struct PanelProgressLines: Sendable {
    private let names: Set<[UInt8]>
    private let longestBytes: Int

    /// Creates a filter for the progress lines of all members of these panels.
    package init(of panels: [Panel]) {
        names = Set(panels.flatMap { $0.text.members + $0.vision.members }.map { Array($0.utf8) })
        longestBytes = names.reduce(0) { max($0, $1.count) }
    }

    package static func line(_ member: String, isGood: Bool) -> String { "\(member) \(isGood ? "✅" : "❌")\n" }

    /// Removes progress lines at the beginning of the assistant's texts and reasoning. Also removes messages that
    /// become empty.
    package func remove(from messages: inout [ChatMessage]) {
        var emptied: [Int] = []
        for index in messages.indices where messages[index].role == .assistant {
            var content: [ChatMessage.Piece] = []
            var isChanged = false
            for piece in messages[index].content {
                switch piece {
                case .text(let text):
                    guard let rest = rest(of: text) else { break }
                    isChanged = true
                    if !rest.isEmpty { content.append(.text(rest)) }
                    continue
                case .reasoningBlock(let reasoningBlock):
                    guard reasoningBlock.signature == nil, let rest = rest(of: reasoningBlock.text) else { break }
                    isChanged = true
                    if let reasoningBlock = ReasoningBlock(rest, signature: nil) {
                        content.append(.reasoningBlock(reasoningBlock))
                    }
                    continue
                case .refusal, .attachment: break
                }
                content.append(piece)
            }
            guard isChanged else { continue }
            messages[index].content = content
            if content.isEmpty, messages[index].toolCalls.isEmpty { emptied.append(index) }
        }
        for index in emptied.reversed() { messages.remove(at: index) }
    }

    /// Returns the text without the progress lines at its beginning; nil if there are none.
    package func rest(of text: String) -> String? {
        var text = text
        return text.withUTF8 { bytes in
            var start = bytes.prefix { $0 == 32 || $0 == 10 || $0 == 13 }.count
            var hasMarks = false
            while let end = endOfMark(bytes, from: start) {
                hasMarks = true
                start = end
            }
            return hasMarks ? String(decoding: bytes[start...], as: UTF8.self) : nil
        }
    }

    private static let signs: [[UInt8]] = ["✅", "❌"].map { Array(" \($0)".utf8) }

    /// Returns the index after the progress line at `start`; nil if there is none.
    private func endOfMark(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        let window = bytes[start...].prefix(longestBytes + 8)
        let line = window.prefix { $0 != 10 }
        guard line.count < window.count || line.endIndex == bytes.endIndex else { return nil }
        let reported = line.last == 13 ? line.dropLast() : line
        guard
            let sign = Self.signs.first(where: {
                reported.count > $0.count && reported.suffix($0.count).elementsEqual($0)
            }), names.contains(Array(reported.dropLast(sign.count)))
        else { return nil }
        return min(line.endIndex + 1, bytes.endIndex)
    }
}
