package import Engine

/// A resolver of `$ref` references within one document: `#`, JSON pointers, anchors and `$id`.
package struct SchemaReferences {
    private var resources: [[UInt8]: SchemaReader.Base] = [:]
    /// The values that `$anchor` or `$dynamicAnchor` names, by the index of the document or the subschema with `$id`
    /// that contains them.
    private var anchors: [Int: (names: NameTable, values: [JSONValue])] = [:]
    /// A cache of the members of objects and arrays, by index. Without it, many pointers into one object would take
    /// quadratic time.
    private var members: [Int: (names: NameTable, values: [JSONValue])] = [:]

    package init() {}

    mutating func addResource(_ base: SchemaReader.Base) {
        let address =
            base.address.utf8.last == UInt8(ascii: "#") ? base.address.utf8.dropLast() : base.address.utf8[...]
        if resources[Array(address)] == nil { resources[Array(address)] = base }
    }

    mutating func addAnchor(_ name: UnsafeRawBufferPointer, of base: SchemaReader.Base, at value: JSONValue) {
        var known = anchors.removeValue(forKey: base.value.index) ?? (NameTable(), [])
        if known.names.insert(name).isNew { known.values.append(value) }
        anchors[base.value.index] = known
    }

    mutating func target(
        of reference: UnsafeRawBufferPointer,
        from base: SchemaReader.Base
    ) throws(SchemaError) -> (value: JSONValue, base: SchemaReader.Base) {
        let unknown = SchemaError("`$ref` \"\(shortened(reference, 200))\" names nothing in the schema")
        let hash = reference.first(UInt8(ascii: "#")) ?? reference.count
        var base = base
        if hash > 0 {
            guard hash <= Self.addressLimitBytes else { throw unknown }
            let address = Self.joined(base.address, reference[part: 0..<hash].text)
            guard let found = resources[Array(address.utf8)] else { throw unknown }
            base = found
        }
        let fragment = hash < reference.count ? reference[part: (hash + 1)..<reference.count] : reference[part: 0..<0]
        guard let value = value(of: fragment, in: base.value) else { throw unknown }
        return (value, base)
    }

    /// Returns the value to which a reference such as `#/$defs/a` points; nil if there is none.
    package mutating func target(of reference: UnsafeRawBufferPointer, in root: JSONValue) -> JSONValue? {
        guard reference.first == UInt8(ascii: "#") else { return nil }
        return value(of: reference[part: 1..<reference.count], in: root)
    }

    private mutating func value(of fragment: UnsafeRawBufferPointer, in root: JSONValue) -> JSONValue? {
        let text = fragment.percentDecoded
        return text.withUnsafeBytes { named($0, root) }
    }

    private mutating func named(_ fragment: UnsafeRawBufferPointer, _ root: JSONValue) -> JSONValue? {
        if fragment.isEmpty { return root }
        if fragment[0] == UInt8(ascii: "/") { return at(fragment, root) }
        guard let known = anchors[root.index], let number = known.names.number(of: fragment) else { return nil }
        return known.values[number]
    }

    private static let addressLimitBytes = 2_048

    /// Returns the value to which a JSON pointer points; nil if there is no such value.
    private mutating func at(_ pointer: UnsafeRawBufferPointer, _ root: JSONValue) -> JSONValue? {
        var value = root
        for part in pointer.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            var name: [UInt8] = []
            var isEscape = false
            for byte in part {
                if isEscape {
                    name.append(byte == UInt8(ascii: "1") ? UInt8(ascii: "/") : UInt8(ascii: "~"))
                    isEscape = false
                } else if byte == UInt8(ascii: "~") {
                    isEscape = true
                } else {
                    name.append(byte)
                }
            }
            guard let next = name.withUnsafeBytes({ child($0, value) }) else { return nil }
            value = next
        }
        return value
    }

    private mutating func child(_ name: UnsafeRawBufferPointer, _ value: JSONValue) -> JSONValue? {
        if members[value.index] == nil {
            var known: (names: NameTable, values: [JSONValue]) = (NameTable(), [])
            for member in value.members ?? [] where known.names.insert(member.name).isNew {
                known.values.append(member.value)
            }
            for (index, element) in (value.elements ?? JSONElements()).enumerated() {
                String(index).utf8.withContiguousStorageIfAvailable {
                    _ = known.names.insert(UnsafeRawBufferPointer($0))
                }
                known.values.append(element)
            }
            members[value.index] = known
        }
        guard let known = members[value.index], let number = known.names.number(of: name) else { return nil }
        return known.values[number]
    }

    /// Returns the absolute URI for a reference and a base URI, without resolving `.` and `..`.
    static func joined(_ base: String, _ reference: String) -> String {
        let bytes = Array(reference.utf8.prefix(addressLimitBytes))
        if let colon = bytes.firstIndex(of: 58), !bytes[..<colon].contains(47), colon > 0 { return text(bytes[...]) }
        let known = Array(base.utf8)
        let scheme = known.firstIndex(of: 58).map { $0 + 1 } ?? 0
        let hasHost = known[scheme...].starts(with: [47, 47])
        let path = hasHost ? known[(scheme + 2)...].firstIndex(of: 47) ?? known.count : scheme
        if bytes.starts(with: [47, 47]) { return text(known[..<scheme] + bytes) }
        if bytes.first == 47 { return text(known[..<path] + bytes) }
        guard let slash = known[path...].lastIndex(of: 47) else {
            return text(known[..<path] + (hasHost ? [47] : []) + bytes)
        }
        return text(known[...slash] + bytes)
    }

    private static func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
}
