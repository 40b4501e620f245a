import Calls
import Engine

/// Fields of a request to a Responses API that the relay does not know. A field of `reasoning` or `text` has its own
/// name.
struct UnknownFields {
    let names: [String]

    /// Calls `body` with the name of each unknown field of a request.
    static func forEach(in request: RawJSON, _ body: (UnsafeRawBufferPointer) -> Void) {
        for member in request.members {
            if !FieldNames.isOfResponses(member.name) { body(member.name) }
            guard let isKnown = knownFields(of: member) else { continue }
            for inner in member.value.members where !isKnown(inner.name) { body(inner.name) }
        }
    }

    /// Returns the test for known fields of this member; nil if no unknown fields of the member are passed on.
    private static func knownFields(of member: RawJSON.Member) -> ((UnsafeRawBufferPointer) -> Bool)? {
        guard member.value.isObject else { return nil }
        return switch member.name {
        case "reasoning": FieldNames.isOfReasoning
        case "text": FieldNames.isOfText
        default: nil
        }
    }

    func isIn(_ request: RawJSON) -> Bool {
        var isFound = false
        Self.forEach(in: request) { if isNamed($0) { isFound = true } }
        return isFound
    }

    /// Returns the request without these fields.
    func removed(from request: Body) -> Body {
        var out = ByteBuffer()
        RawJSON(request.bytes).append(to: &out, leavingOut: { !FieldNames.isOfResponses($0.name) && isNamed($0.name) })
        let bare = Body(out)
        out = ByteBuffer()
        RawJSON(bare.bytes).append(to: &out) { member, out in
            guard let isKnown = Self.knownFields(of: member) else { return false }
            out.append(json: member.name)
            out.append(":")
            member.value.append(to: &out, leavingOut: { !isKnown($0.name) && isNamed($0.name) })
            return true
        }
        return Body(out)
    }

    private func isNamed(_ name: UnsafeRawBufferPointer) -> Bool { names.contains { $0.withBytes { name.equals($0) } } }
}
