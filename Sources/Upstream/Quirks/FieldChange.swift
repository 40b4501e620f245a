import Engine

/// A change of one field in the JSON body of a request, whatever the API.
struct FieldChange: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case drop
        case atMost(Int)
        case rename(String)
    }

    /// The names from the body to the field. A list counts as each of its elements: `messages`, `name`.
    let path: [String]
    let kind: Kind

    /// The field, for operators: `messages.name`.
    var name: String { path.joined(separator: ".") }

    /// Returns whether the change alters this body.
    func concerns(_ body: RawJSON) -> Bool { concerns(body, path[...]) }

    private func concerns(_ value: RawJSON, _ path: ArraySlice<String>) -> Bool {
        if value.isArray { return value.elements.contains { concerns($0, path) } }
        guard let name = path.first else {
            guard case .atMost(let most) = kind else { return true }
            return value.integer.map { $0 > most } ?? false
        }
        return value.members.contains { $0.isNamed(name) && concerns($0.value, path.dropFirst()) }
    }

    /// Returns the body with the change. All other bytes are copied.
    func applied(to body: Body) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + 64)
        append(RawJSON(body.bytes), path[...], to: &out)
        return Body(out)
    }

    private func append(_ value: RawJSON, _ path: ArraySlice<String>, to out: inout ByteBuffer) {
        if value.isArray { return value.append(to: &out) { append($0, path, to: &$1) } }
        guard let name = path.first, value.isObject else { return appendField(value, to: &out) }
        let rest = path.dropFirst()
        value.append(to: &out, leavingOut: { $0.isNamed(name) && vanishes($0.value, rest) }) { member, out in
            guard member.isNamed(name) else { return false }
            out.append("\"")
            if rest.isEmpty, case .rename(let other) = kind {
                other.withBytes { out.append($0) }
            } else {
                out.append(member.name)
            }
            out.append("\":")
            append(member.value, rest, to: &out)
            return true
        }
    }

    private func appendField(_ value: RawJSON, to out: inout ByteBuffer) {
        guard case .atMost(let most) = kind, let number = value.integer, number > most else {
            return out.append(value.bytes)
        }
        out.append(decimal: most)
    }

    /// Returns whether nothing is left of a value, so that the member with the value is left out, too.
    private func vanishes(_ value: RawJSON, _ path: ArraySlice<String>) -> Bool {
        guard kind == .drop, let name = path.first else { return kind == .drop }
        return value.isObject && value.members.contains { _ in true }
            && value.members.allSatisfy { $0.isNamed(name) && vanishes($0.value, path.dropFirst()) }
    }
}

extension RawJSON {
    /// The integer that the value is; nil for other values.
    var integer: Int? { bytes.count <= 18 ? Int(bytes.text) : nil }
}

extension RawJSON.Member {
    func isNamed(_ name: String) -> Bool { name.withBytes { $0.elementsEqual(self.name) } }
}
