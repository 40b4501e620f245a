import Calls
import Engine

/// A change of one field in the JSON body of a request, whatever the API.
struct FieldChange: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case drop
        case atMost(Int)
        case rename(String)
        /// The text is replaced by another one.
        case replace(String)
        /// The text is replaced by one of these: the nearest in the order of reasoning efforts.
        case nearest([String])
    }

    static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

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
            switch kind {
            case .drop, .rename: return true
            case .atMost, .replace, .nearest: return replacement(of: value) != nil
            }
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
        guard let other = replacement(of: value) else { return out.append(value.bytes) }
        other.withBytes { out.append($0) }
    }

    /// Returns the JSON in place of the field's value; nil if the value stays.
    private func replacement(of value: RawJSON) -> String? {
        switch kind {
        case .drop, .rename: return nil
        case .atMost(let most): return value.integer.flatMap { $0 > most ? "\(most)" : nil }
        case .replace(let text): return value.content?.text.hasSameBytes(as: text) ?? true ? nil : "\"\(text)\""
        case .nearest(let accepted):
            guard let text = value.content?.text, !accepted.contains(text),
                let index = Self.efforts.firstIndex(of: text)
            else { return nil }
            let others = Self.efforts.indices.filter { accepted.contains(Self.efforts[$0]) }
            return others.min { (abs($0 - index), $0) < (abs($1 - index), $1) }.map { "\"\(Self.efforts[$0])\"" }
        }
    }

    /// Returns whether nothing is left of a value, so that the member with the value is left out, too.
    private func vanishes(_ value: RawJSON, _ path: ArraySlice<String>) -> Bool {
        guard kind == .drop, let name = path.first else { return kind == .drop }
        return value.isObject && value.members.contains { _ in true }
            && value.members.allSatisfy { $0.isNamed(name) && vanishes($0.value, path.dropFirst()) }
    }
}

extension Body {
    /// Returns the body without the fields of those quirks that are in the set.
    ///
    /// - Parameter fields: the paths of fields that are left out, each with the quirks that it belongs to.
    func dropping(_ fields: [(quirks: LearnedQuirks, path: String)], of quirks: LearnedQuirks) -> Body {
        fields.filter { !$0.quirks.isDisjoint(with: quirks) }.reduce(self) { body, field in
            FieldChange(path: field.path.split(separator: ".").map(String.init), kind: .drop).applied(to: body)
        }
    }
}

extension RawJSON {
    /// The integer that the value is; nil for other values.
    var integer: Int? { bytes.count <= 18 ? Int(bytes.text) : nil }
}

extension RawJSON.Member {
    func isNamed(_ name: String) -> Bool { name.withBytes { $0.elementsEqual(self.name) } }
}
