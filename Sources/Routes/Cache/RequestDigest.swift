import Engine
import Glibc
import Shared
import Upstream

/// The computation of the digest of a request body.
///
/// Equal requests have the same digest. The order of members and the spelling of numbers and strings do not matter.
struct RequestDigest: ~Copyable {
    private var out = ByteBuffer()
    /// The API of which the request may go on as it came. Instructions of a Messages request may have an attribution line.
    private let wire: Wire?
    private var hasAttribution = false

    /// The members of the outermost object that the digest leaves out.
    private static let leftOut: [StaticString] = ["model", "stream", "stream_options"]
    /// The members that it leaves out besides, but where the response repeats them.
    static let ofCaller: [StaticString] = ["user", "safety_identifier", "metadata"]
    /// The longest text that the digest's input contains unchanged, in bytes. A longer text is replaced by its own
    /// digest.
    private static let longBytes = 64
    private static let depth = 128

    private init(_ wire: Wire?) { self.wire = wire }

    /// Returns the digest of a request body; nil if the body is nested too deeply.
    ///
    /// The digest of a Messages request leaves out an attribution line. `attributed` contains it; nil without a line.
    static func of(_ root: JSONValue, for wire: Wire? = nil) -> (plain: Digest, attributed: Digest?)? {
        var digest = RequestDigest(wire)
        guard digest.add(root, depth: depth, isOutermost: true) else { return nil }
        return (Digest(quicklyOf: digest.out.bytes), digest.hasAttribution ? of(root)?.plain : nil)
    }

    /// Adds a JSON value's kind and content to the digest's input. Returns false if the nesting is too deep.
    private mutating func add(_ value: JSONValue, depth: Int, isOutermost: Bool = false) -> Bool {
        guard depth > 0 else { return false }
        switch value.kind {
        case .null: out.append("n")
        case .flag: out.append(value.flag == true ? "t" : "f")
        case .string: add(text: value.text ?? .empty)
        case .integer, .decimal: add(number: value)
        case .array:
            out.append("[")
            for element in value.elements ?? JSONElements() {
                guard add(element, depth: depth - 1) else { return false }
            }
            out.append("]")
        case .object:
            out.append("{")
            for member in (value.members ?? []).sorted(by: { Self.isBefore($0.name, $1.name) }) {
                // The cache key contains the model and the streaming option separately.
                if isOutermost, Self.leftOut.contains(where: member.name.equals) { continue }
                if isOutermost, wire != .responses, Self.ofCaller.contains(where: member.name.equals) { continue }
                add(text: member.name)
                if isOutermost, wire == .messages, member.name == "system" {
                    guard add(system: member.value, depth: depth - 1) else { return false }
                    continue
                }
                guard add(member.value, depth: depth - 1) else { return false }
            }
            out.append("}")
        }
        return true
    }

    /// Adds the instructions of a Messages request without the attribution line, which differs in each conversation.
    private mutating func add(system: JSONValue, depth: Int) -> Bool {
        guard let blocks = system.elements else { return add(system, depth: depth) }
        out.append("[")
        for block in blocks {
            if Self.isAttribution(block) {
                hasAttribution = true
            } else {
                guard add(block, depth: depth - 1) else { return false }
            }
        }
        out.append("]")
        return true
    }

    /// Returns whether a block of instructions is an attribution line of exactly Claude Code's form.
    private static func isAttribution(_ block: JSONValue) -> Bool {
        let attribution = ChatMessage.attribution
        guard let fields = block.texts("type", "text"), fields.0.equals("text"), fields.1.hasPrefix(attribution)
        else { return false }
        var rest = fields.1[part: attribution.utf8CodeUnitCount..<fields.1.count]
        for name: StaticString in [" cc_version=", " cc_entrypoint="] {
            guard rest.hasPrefix(name), let end = rest.first(UInt8(ascii: ";")) else { return false }
            let value = rest[part: name.utf8CodeUnitCount..<end]
            guard value.allSatisfy({ $0.isLetterOrDigit || "._-".utf8.contains($0) }) else { return false }
            rest = rest[part: (end + 1)..<rest.count]
        }
        return rest.isEmpty && fields.1.count < 200
    }

    private mutating func add(text: UnsafeRawBufferPointer) {
        guard text.count > Self.longBytes else {
            out.append("s")
            out.append(UInt8(text.count))
            return out.append(text)
        }
        out.append("d")
        Digest(quicklyOf: text).withBytes { out.append($0) }
    }

    /// Adds a number in a normal form, in which `1.0` and `1` are equal.
    private mutating func add(number value: JSONValue) {
        if let integer = value.integer { return add("i", UInt64(bitPattern: integer)) }
        let number = value.number ?? 0
        if let integer = Int64(exactly: number) { return add("i", UInt64(bitPattern: integer)) }
        if let unsigned = value.unsigned ?? UInt64(exactly: number) { return add("u", unsigned) }
        add("r", number.bitPattern)
    }

    private mutating func add(_ kind: StaticString, _ word: UInt64) {
        out.append(kind)
        withUnsafeBytes(of: word) { out.append($0) }
    }

    private static func isBefore(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        let shorter = min(one.count, other.count)
        guard shorter > 0, let first = one.baseAddress, let second = other.baseAddress else {
            return one.count < other.count
        }
        let order = memcmp(first, second, shorter)
        return order == 0 ? one.count < other.count : order < 0
    }
}
