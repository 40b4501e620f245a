import Calls
import Engine

/// The quirks of Google's models.
extension LearnedQuirks {
    /// The quirk of a model that refuses `systemInstruction`. The instructions are then written into the first user
    /// turn.
    static let noInstructions = LearnedQuirks(rawValue: 4)
    /// The quirk of a model that refuses tool calls without valid thought signatures. The relay then sends a signature
    /// that Google does not check.
    static let anySignature = LearnedQuirks(rawValue: 8)
}

/// Applies quirks to the JSON body of a request to Google. All other bytes are copied.
struct GeminiRequestRewriter {
    private let quirks: LearnedQuirks

    static func written(_ body: Body, with quirks: LearnedQuirks) -> Body {
        if quirks.isDisjoint(with: [.noInstructions, .anySignature]) { return body }
        let root = RawJSON(body.bytes)
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + 256)
        GeminiRequestRewriter(quirks: quirks).append(root, to: &out)
        return Body(out)
    }

    private func append(_ root: RawJSON, to out: inout ByteBuffer) {
        let hasNoInstructions = quirks.contains(.noInstructions)
        root.append(to: &out, leavingOut: { hasNoInstructions && $0.name.equals("systemInstruction") }) { member, out in
            out.append("\"", member.name, "\":")
            switch member.name {
            case "contents": appendContents(member.value, root["systemInstruction"]?["parts"], to: &out)
            default: out.append(member.value.bytes)
            }
            return true
        }
    }

    private func appendContents(_ contents: RawJSON, _ instructions: RawJSON?, to out: inout ByteBuffer) {
        var isFirst = true
        contents.append(to: &out) { content, out in
            // The first turn is the user's.
            let opening = isFirst && quirks.contains(.noInstructions) ? instructions : nil
            isFirst = false
            content.append(to: &out) { member, out in
                guard member.name.equals("parts") else { return false }
                out.append(#""parts":["#)
                appendParts(member.value, opening, to: &out)
                out.append("]")
                return true
            }
        }
    }

    private func appendParts(_ parts: RawJSON, _ opening: RawJSON?, to out: inout ByteBuffer) {
        var isFirst = true
        var hasCall = false
        for part in (opening.map { Array($0.elements) } ?? []) + Array(parts.elements) {
            if !isFirst { out.append(",") }
            if quirks.contains(.anySignature), let call = part["functionCall"] {
                // Only the first call of a turn gets the signature: parallel calls need none.
                out.append(#"{"functionCall":"#)
                out.append(call.bytes)
                if !hasCall { out.append(#","thoughtSignature":"skip_thought_signature_validator""#) }
                out.append("}")
                hasCall = true
            } else if quirks.contains(.anySignature) {
                part.append(to: &out, without: "thoughtSignature")
            } else {
                out.append(part.bytes)
            }
            isFirst = false
        }
    }
}
