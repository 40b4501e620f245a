import Engine
import Shared

/// A writer that copies the body of a client's Messages request and changes only the spans that the relay must change.
struct OriginalMessage: ~Copyable {
    private let original: OriginalRequest
    private var text: UnsafeRawBufferPointer { original.bytes }
    private var out = ByteBuffer()
    /// The number of bytes of the client's body that are already copied or left out.
    private var done = 0

    private init(_ original: OriginalRequest) { self.original = original }

    /// Returns the body for the vendor.
    /// - Parameters:
    ///   - original: a request that is unambiguous (`OriginalRequest.isUnambiguous`).
    ///   - model: the vendor's name for the model.
    ///   - namesModel: whether the body names the model, and not the URL.
    ///   - bound: the value of `max_tokens`; nil for the client's own.
    static func written(
        _ original: OriginalRequest,
        model: String,
        dialect: AnthropicDialect,
        namesModel: Bool,
        bound: Int? = nil
    ) -> Body {
        OriginalMessage(original).written(model, dialect, namesModel: namesModel, bound)
    }

    private consuming func written(
        _ model: String,
        _ dialect: AnthropicDialect,
        namesModel: Bool,
        _ bound: Int?
    ) -> Body {
        _ = out.reserve(text.count + 256)
        let members = original.members ?? []
        let hasModel = members.contains { $0.name.equals("model") }
        let lacksVersion = dialect.isVertex && !members.contains { $0.name.equals("anthropic_version") }
        if lacksVersion, namesModel || !hasModel { insert(#""anthropic_version":"vertex-2023-10-16""#, members) }
        if namesModel, !hasModel {
            var opening = ByteBuffer()
            opening.append(#""model":"#, json: model)
            insert(opening.text, members)
        }
        for (index, member) in members.enumerated() {
            switch member.name {
            case "model" where namesModel: replace(member.value.bytes) { $0.append(json: model) }
            case "model" where lacksVersion: replace(bytes(of: member)) { dialect.appendOpening(model, to: &$0) }
            case "model": leaveOut(member, before: index + 1 < members.count ? members[index + 1] : nil)
            case "max_tokens": if let bound { replace(member.value.bytes) { $0.append(decimal: bound) } }
            case "metadata": writeMetadata(member.value, dialect.clientInfo)
            case "system" where !dialect.sendsAttribution: writeSystem(member.value)
            default: break
            }
        }
        copy(upTo: text.count)
        return Body(out)
    }

    // MARK: Spans

    private func offset(of span: UnsafeRawBufferPointer) -> Int {
        guard let start = span.baseAddress, let base = text.baseAddress else { return done }
        return start - base
    }

    private func bytes(of member: RawJSON.Member) -> UnsafeRawBufferPointer {
        let start = offset(of: member.name) - 1
        return text[part: start..<(offset(of: member.value.bytes) + member.value.bytes.count)]
    }

    private mutating func copy(upTo end: Int) {
        out.append(text[part: done..<end])
        done = end
    }

    private mutating func replace(_ span: UnsafeRawBufferPointer, _ write: (inout ByteBuffer) -> Void) {
        copy(upTo: offset(of: span))
        write(&out)
        done += span.count
    }

    /// Inserts a member before the client's own members.
    private mutating func insert(_ member: String, _ members: [RawJSON.Member]) {
        copy(upTo: max(done, offset(of: RawJSON(text).bytes) + 1))
        out.append(member)
        if !members.isEmpty { out.append(",") }
    }

    /// Leaves a top-level member out, with the comma that separates it from its neighbour.
    private mutating func leaveOut(_ member: RawJSON.Member, before next: RawJSON.Member?) {
        let span = bytes(of: member)
        if let next {
            copy(upTo: offset(of: span))
            done = offset(of: bytes(of: next))
        } else {
            var end = offset(of: span)
            while end > done, text[end - 1] != UInt8(ascii: ",") { end -= 1 }
            copy(upTo: max(done, end - 1))
            done = offset(of: span) + span.count
        }
    }

    /// Copies a list or an object without some of its elements.
    private mutating func write(
        _ value: RawJSON,
        _ elements: [UnsafeRawBufferPointer],
        without isLeftOut: (Int) -> Bool,
        _ write: (Int, inout OriginalMessage) -> Void = { _, _ in }
    ) {
        var isFirst = true
        for (index, element) in elements.enumerated() {
            if isLeftOut(index) {
                if isFirst, index == 0 { copy(upTo: offset(of: element)) }
                done = offset(of: element) + element.count
                continue
            }
            // The separator before the first element that is kept is left out with the elements before it.
            if isFirst, index > 0 { done = offset(of: element) }
            isFirst = false
            write(index, &self)
            copy(upTo: offset(of: element) + element.count)
        }
    }

    // MARK: Who sent the request

    private mutating func writeMetadata(_ metadata: RawJSON, _ clientInfo: ProviderSettings.ClientInfo) {
        guard clientInfo != .all, metadata.isObject else { return }
        guard let members = OriginalRequest.distinct(metadata) else {
            // A name that only another parser reads could be the user's.
            return replace(metadata.bytes) { $0.append("{}") }
        }
        guard let user = members.first(where: { $0.name.equals("user_id") })?.value, !user.isNull else { return }
        if clientInfo == .own, let id = user.content?.string {
            return replace(user.bytes) {
                $0.append("\"")
                $0.append(hexDigestOf: id)
                $0.append("\"")
            }
        }
        let spans = members.map { bytes(of: $0) }
        write(metadata, spans, without: { members[$0].name.equals("user_id") })
    }

    /// Writes the system prompt without Claude Code's attribution line.
    private mutating func writeSystem(_ system: RawJSON) {
        if let whole = system.content {
            guard let length = Self.attributionLength(whole) else { return }
            return replace(whole[part: 0..<length]) { _ in }
        }
        let blocks = Array(system.elements)
        let texts = blocks.map(Self.attributedText)
        guard texts.contains(where: { $0 != nil }) else { return }
        let isWhole = { (index: Int) in texts[index].map { Self.attributionLength($0) == $0.count } ?? false }
        write(system, blocks.map(\.bytes), without: isWhole) { index, writer in
            guard let text = texts[index], let length = Self.attributionLength(text) else { return }
            writer.replace(text[part: 0..<length]) { _ in }
        }
    }

    /// Returns the content of a block's text that begins with an attribution line; nil if there is none. A name with an
    /// escape counts as `text`.
    private static func attributedText(_ block: RawJSON) -> UnsafeRawBufferPointer? {
        for member in block.members where member.name.equals("text") || member.name.first(UInt8(ascii: "\\")) != nil {
            if let text = member.value.content, attributionLength(text) != nil { return text }
        }
        return nil
    }

    private static let attribution = ChatMessage.attribution

    /// Returns the length of the attribution line at the beginning of a JSON string's content, with its line end; nil
    /// if the content does not begin with such a line.
    static func attributionLength(_ content: UnsafeRawBufferPointer) -> Int? {
        guard content.hasPrefix(UnsafeRawBufferPointer(attribution)) || isEscapedAttribution(content) else {
            return nil
        }
        var offset = 0
        while offset + 1 < content.count {
            if content[offset] == UInt8(ascii: "\\") {
                if content[offset + 1] == UInt8(ascii: "n") { return offset + 2 }
                offset += 1
            }
            offset += 1
        }
        return content.count
    }

    private static func isEscapedAttribution(_ content: UnsafeRawBufferPointer) -> Bool {
        let letters = attribution.utf8CodeUnitCount
        let beginning = content[part: 0..<min(6 * letters, content.count)]
        guard beginning.first(UInt8(ascii: "\\")) != nil, content.count >= letters else { return false }
        var offset = 0
        for index in 0..<letters {
            guard offset < content.count else { return false }
            let expected = attribution.utf8Start[index]
            if content[offset] == expected {
                offset += 1
                continue
            }
            guard content[part: offset..<content.count].hasPrefix("\\u00"), offset + 6 <= content.count,
                UInt8(content[part: (offset + 4)..<(offset + 6)].text, radix: 16) == expected
            else { return false }
            offset += 6
        }
        return true
    }
}
