package import Engine

/// A search for the strings under members of certain names in a JSON value, such as `model`: one pass on bytes, whatever
/// the depth of the value.
package struct MemberSearch {
    package struct Found {
        /// The path of the string in the request, such as `tools[2].model`.
        package let path: String
        /// The content of the string between its quotes, with escapes left as they are.
        package let content: UnsafeRawBufferPointer
    }

    /// An open array or object.
    private struct Level {
        /// The name of the member whose value this is; nil for an array's element.
        let name: UnsafeRawBufferPointer?
        /// The number of elements before the present one; -1 in an object.
        var index: Int
        /// Whether all strings in it are found.
        let isWanted: Bool
    }

    /// The strings that were found, at most one more than `maxFound`.
    package private(set) var found: [Found] = []
    /// Returns whether the strings under a member are wanted. `parent`: the name of the object with the member.
    private let isWanted: (_ name: UnsafeRawBufferPointer, _ parent: UnsafeRawBufferPointer?) -> Bool
    /// Whether all strings in an object under such a member are wanted.
    private let isDeep: Bool
    private var levels: [Level] = []

    static let maxFound = 64

    package init(
        inObjects isDeep: Bool = true,
        isWanted: @escaping (_ name: UnsafeRawBufferPointer, _ parent: UnsafeRawBufferPointer?) -> Bool
    ) {
        self.isDeep = isDeep
        self.isWanted = isWanted
    }

    /// Searches a value.
    /// - Parameters:
    ///   - name: the name of the member whose value it is; nil for an array's element.
    ///   - path: the path of the object or array around the value; empty for the request itself.
    ///   - isSkipped: returns whether nothing under a member is searched, because it is the client's own data.
    package mutating func search(
        _ value: RawJSON,
        named name: UnsafeRawBufferPointer? = nil,
        at path: String,
        skipping isSkipped: (_ name: UnsafeRawBufferPointer) -> Bool
    ) {
        let text = value.bytes
        levels.removeAll(keepingCapacity: true)
        var (offset, name) = (0, name)
        while offset < text.count {
            let start = offset
            offset += 1
            switch text[start] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isArray = text[start] == UInt8(ascii: "[")
                let isWanted = (isArray || isDeep) && isWanted(under: name)
                levels.append(Level(name: name, index: isArray ? 0 : -1, isWanted: isWanted))
                name = nil
            case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = levels.popLast()
            case UInt8(ascii: ","):
                if let last = levels.indices.last, levels[last].index >= 0 { levels[last].index += 1 }
            case UInt8(ascii: "\""):
                let end = JSONShape.endOfString(in: text, after: offset)
                let content = text[part: offset..<min(end, text.count)]
                offset = min(end + 1, text.count)
                guard let value = Self.value(after: offset, in: text) else {
                    if isWanted(under: name) { add(content, name, path) }
                    name = nil
                    continue
                }
                offset = value
                name = content
                guard isSkipped(content) else { continue }
                offset = RawJSON.end(of: text, from: value)
                name = nil
            default: break
            }
        }
    }

    /// Returns the offset of the value that follows a name; nil if the string before `offset` is no name.
    private static func value(after offset: Int, in text: UnsafeRawBufferPointer) -> Int? {
        var offset = offset
        while offset < text.count, text[offset] <= 32 { offset += 1 }
        guard offset < text.count, text[offset] == UInt8(ascii: ":") else { return nil }
        offset += 1
        while offset < text.count, text[offset] <= 32 { offset += 1 }
        return offset
    }

    private func isWanted(under name: UnsafeRawBufferPointer?) -> Bool {
        levels.last?.isWanted ?? false || name.map { isWanted($0, levels.last { $0.index < 0 }?.name) } ?? false
    }

    private mutating func add(_ content: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer?, _ path: String) {
        guard found.count <= Self.maxFound else { return }
        var path = path
        func add(_ name: UnsafeRawBufferPointer) {
            path += (path.isEmpty ? "" : ".") + name[part: 0..<min(64, name.count)].text
        }
        for level in levels {
            if let name = level.name { add(name) }
            if level.index >= 0 { path += "[\(level.index)]" }
        }
        if let name { add(name) }
        found.append(Found(path: path.beginning(ofBytes: 400), content: content))
    }
}
