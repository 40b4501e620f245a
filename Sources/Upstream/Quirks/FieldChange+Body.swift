import Engine

extension FieldChange {
    /// The longest value of a field, in bytes, that may be a word of the API.
    static let wordBytes = 64

    /// Returns whether the change alters this body.
    func concerns(_ body: RawJSON) -> Bool { concerns(body, path[...]) }

    private func concerns(_ value: RawJSON, _ path: ArraySlice<String>) -> Bool {
        if value.isArray {
            if path.isEmpty, kind == .drop || kept(value).count < value.elements.count(where: { _ in true }) {
                return true
            }
            return value.elements.contains { concerns($0, path) }
        }
        guard let name = path.first else {
            if case .rename = kind { return true }
            return isDropped(value) || replacement(of: value) != nil
        }
        if case .set = kind, path.count == 1, value.value(at: name) == nil { return true }
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
        if value.isArray {
            let elements = path.isEmpty ? kept(value) : Array(value.elements)
            if elements.isEmpty, case .dropType(_, let json?) = kind { return out.append("[\(json)]") }
            return out.append(array: elements) { append($0, path, to: &$1) }
        }
        guard let name = path.first, value.isObject else {
            if let other = replacement(of: value) { return out.append(other) }
            return out.append(value.bytes)
        }
        let rest = path.dropFirst()
        value.append(to: &out, leavingOut: { $0.isNamed(name) && vanishes($0.value, rest) }) { member, out in
            guard member.isNamed(name) else { return false }
            out.append("\"")
            if rest.isEmpty, case .rename(let other) = kind { out.append(other) } else { out.append(member.name) }
            out.append("\":")
            append(member.value, rest, to: &out)
            return true
        }
        if case .set(let json) = kind, rest.isEmpty, value.value(at: name) == nil {
            out.removeLast(1)
            out.append(value.members.contains { _ in true } ? ",\"" : "\"")
            out.append("\(name)\":\(json)}")
        }
    }

    /// Returns the elements that stay of the list at the path's end.
    private func kept(_ list: RawJSON) -> [RawJSON] {
        var names: Set<[UInt8]> = []
        return list.elements.filter { element in
            guard kind == .distinct else { return !isDropped(element) }
            let name = (element["name"] ?? element["function"]?["name"])?.content
            return name.map { names.insert(Array($0)).inserted } ?? true
        }
    }

    /// Returns the JSON in place of the field's value; nil if the value stays.
    private func replacement(of value: RawJSON) -> String? {
        switch kind {
        case .drop, .dropUnless, .dropType, .rename, .distinct: return nil
        case .set(let json): return value.bytes.text.hasSameBytes(as: json) ? nil : json
        case .complete:
            var completed = ByteBuffer()
            return CompleteSchema.append(value, to: &completed) ? completed.bytes.text : nil
        case .plain:
            guard value.isObject else { return nil }
            var plain = ByteBuffer()
            PlainSchema.append(value, to: &plain)
            return plain.bytes.equals(value.bytes) ? nil : plain.bytes.text
        case .atMost(let most): return value.integer.flatMap { $0 > most ? "\(most)" : nil }
        case .replace(let text, let other):
            let given = (value.isObject ? value["type"] : value)?.content
            let isMeant = text?.withBytes { text in given?.equals(text) ?? false } ?? true
            return !isMeant || value.bytes.text.hasSameBytes(as: other) ? nil : other
        case .nearest(let accepted):
            guard let index = value.content.flatMap(ChatOptions.index(ofEffort:)),
                !accepted.contains(ChatOptions.efforts[index])
            else { return nil }
            let others = ChatOptions.efforts.indices.filter { accepted.contains(ChatOptions.efforts[$0]) }
            return others.min { (abs($0 - index), $0) < (abs($1 - index), $1) }.map { "\"\(ChatOptions.efforts[$0])\"" }
        }
    }

    private func isDropped(_ value: RawJSON) -> Bool {
        switch kind {
        case .drop: return true
        case .dropUnless(let accepted):
            // A list loses its other elements.
            if value.isArray { return false }
            let bytes = value.content ?? value.bytes
            return !accepted.contains { Self.isEqual(bytes, $0) }
        case .dropType(let type, _): return value["type"]?.content?.text == type
        default: return false
        }
    }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer, _ value: String) -> Bool {
        guard bytes.count <= 64 else { return false }
        let text = bytes.text
        if text.hasSameBytes(as: value) { return true }
        guard let one = Double(text), let other = Double(value) else { return false }
        return one == other
    }

    /// Returns whether nothing is left of a value, so that the member with the value is left out, too.
    private func vanishes(_ value: RawJSON, _ path: ArraySlice<String>) -> Bool {
        guard let name = path.first else { return isDropped(value) }
        return value.isObject && value.members.contains { _ in true }
            && value.members.allSatisfy { $0.isNamed(name) && vanishes($0.value, path.dropFirst()) }
    }
}

extension Quirk {
    /// Whether the change leaves out a tool for web search.
    var dropsSearchTool: Bool {
        guard case .field(let change) = self, case .dropType(let type, _) = change.kind else { return false }
        return change.path == ["tools"] && type.hasPrefix("web_search")
    }
}

extension OtherField {
    /// Creates the condition that a field is the same as in a request.
    init(_ path: String, sameAsIn request: RawJSON) {
        let value = request.value(at: path)
        let state = value.map { State.same(Digest(quicklyOf: $0.bytes).words.0, bytes: $0.bytes.count) }
        self.init(paths: [path], state: state ?? .absent)
    }

    /// Returns whether the request has the field in this state.
    func isIn(_ request: RawJSON) -> Bool {
        if case .same(_, let bytes) = state {
            // A digest of large tools takes time.
            return request.value(at: paths[0])?.bytes.count == bytes && OtherField(paths[0], sameAsIn: request) == self
        }
        let found = Self.state(of: paths, in: request)
        return state == .present ? found != .absent : found == state
    }

    /// The fields with a text of the caller's own, which says nothing about other requests and is not shown.
    private static let ofCaller: Set = [
        "user", "safety_identifier", "prompt_cache_key", "session_id", "instructions", "suffix", "stop", "conversation",
        "previous_response_id",
    ]

    static func state(of paths: [String], in request: RawJSON) -> State {
        guard let path = paths.first(where: { request.value(at: $0) != nil }), let value = request.value(at: path)
        else { return .absent }
        if ofCaller.contains(path) { return .present }
        let scalar = value.isObject ? value["type"] ?? value : value
        let bytes = scalar.content ?? scalar.bytes
        return scalar.isObject || scalar.isArray || bytes.count > 64 ? .present : .equal(bytes.text)
    }
}

extension RawJSON {
    /// Returns the value at a path; nil if it is absent.
    func value(at path: [String]) -> RawJSON? {
        path.reduce(self) { (value: RawJSON?, name) in value?.members.first { $0.isNamed(name) }?.value }
    }

    /// Returns the value at a path of names with points between them; nil if it is absent.
    func value(at path: String) -> RawJSON? { value(at: path.split(separator: ".").map(String.init)) }

    /// The integer that the value is; nil for other values.
    var integer: Int? { bytes.count <= 18 ? Int(bytes.text) : nil }
}

extension RawJSON.Member {
    func isNamed(_ name: String) -> Bool { name.withBytes { $0.elementsEqual(self.name) } }
}

extension QuirkFinding {
    /// The fields that are changed.
    var changes: [FieldChange] { quirks.compactMap { if case .field(let change) = $0 { change } else { nil } } }

    /// The refused betas, one of which a request's header must name to need the change.
    var betas: [String] { quirks.betas }

    /// Whether the vendor's server lacks an ability, which the relay then emulates.
    var isLack: Bool { quirks.contains { $0.needs != nil } }

    /// Whether the server lacks an ability whatever the other fields are.
    var isPlainLack: Bool { beside == nil && isLack }

    /// Whether all requests need the change.
    var isUnconditional: Bool { beside == nil && betas.isEmpty }

    /// Whether a caller has chosen the names or values in the condition.
    var hasChosenNames: Bool {
        if !isUnconditional { return true }
        return changes.contains { $0.path.contains { name in !name.withBytes { FieldNames.isOfResponses($0) } } }
    }

    /// Returns whether a request meets the condition, so that the vendor would refuse the request.
    /// - Parameter sent: the betas in the request's header.
    func concerns(_ request: RawJSON, betas sent: [String] = []) -> Bool {
        let (betas, changes) = (betas, changes)
        return (betas.isEmpty || betas.contains(where: sent.contains)) && beside?.isIn(request) ?? true
            && (changes.isEmpty || changes.contains { $0.concerns(request) })
    }

    /// Returns the body with the changes of fields.
    func applied(to body: Body) -> Body { changes.reduce(body) { $1.applied(to: $0) } }
}
