import Engine

/// Applies quirks to the JSON body of a request to Google. All other bytes are copied.
enum GeminiRequestRewriter {
    static func written(_ body: Body, with quirks: Set<Quirk>) -> Body {
        let instructions = quirks.contains(.noInstructions) ? RawJSON(body.bytes)["systemInstruction"] : nil
        guard instructions != nil || quirks.contains(.anySignature) else { return body }
        // The first turn is the user's.
        var opening = Array((instructions?["parts"]?.elements).map { Array($0) } ?? [])
        let written = body.replacing("contents") { contents, out in
            contents.append(to: &out) { (content: RawJSON, out: inout ByteBuffer) in
                content.append(to: &out, replacing: "parts") { parts, out in
                    append(opening + Array(parts.elements), quirks, to: &out)
                }
                opening = []
            }
        }
        return instructions == nil ? written : FieldChange("systemInstruction").applied(to: written)
    }

    private static func append(_ parts: [RawJSON], _ quirks: Set<Quirk>, to out: inout ByteBuffer) {
        let signature = #","thoughtSignature":"\#(MessageRewriter.uncheckedSignature)"}"#
        var hasCall = false
        out.append(array: parts) { part, out in
            if !quirks.contains(.anySignature) { return out.append(part.bytes) }
            guard let call = part["functionCall"] else { return part.append(to: &out, without: "thoughtSignature") }
            // Only the first call of a turn gets the signature: parallel calls need none.
            out.append(#"{"functionCall":"#)
            out.append(call.bytes)
            out.append(hasCall ? "}" : signature)
            hasCall = true
        }
    }
}
