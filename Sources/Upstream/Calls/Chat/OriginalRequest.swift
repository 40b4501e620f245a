package import Engine
import Shared

/// The raw body of a client's request, with its top-level members.
///
/// `@unchecked`: all properties are immutable. The members point into the body.
package final class OriginalRequest: @unchecked Sendable {
    package let body: Body
    /// The top-level members of the body, as the initializer received them; nil if it received none.
    private let outlined: [RawJSON.Member]?
    /// The peculiarities of the names in the body, at all levels.
    package let names: JSONValue.Names
    /// Whether all tools are known to be functions without unknown members.
    let hasPlainTools: Bool
    /// The header lines that go on with a Messages request; nil for a request of another API.
    package let messageHeaders: MessageHeaders?
    /// The API whose vendors accept the request as it is.
    package let wire: Wire

    package init(_ body: Body, names: JSONValue.Names = [.toolModels, .emptyMembers]) {
        self.body = body
        self.names = names
        outlined = nil
        hasPlainTools = false
        messageHeaders = nil
        wire = .chat
    }

    /// Creates a request of another API than chat completions from a request that was already read.
    /// - Parameter body: the changed body; nil for that of the request.
    package init(
        _ request: OriginalRequest,
        of wire: Wire,
        _ messageHeaders: MessageHeaders? = nil,
        body changed: Body? = nil
    ) {
        self.wire = wire
        let changed = changed ?? request.body.withoutByteOrderMark
        body = changed ?? request.body
        names = request.names
        let root = RawJSON(body.bytes)
        // Its members are needed several times, and to find them takes a look at the whole body.
        outlined =
            (changed == nil ? request.outlined : nil)
            ?? (root.isObject ? Array(root.members.prefix(Self.maxMembers + 1)) : nil)
        hasPlainTools = request.hasPlainTools
        self.messageHeaders = messageHeaders
    }

    /// Creates a request from its body and the members that were already found in it.
    package init(_ body: Body, _ outline: JSONOutline, names: JSONValue.Names) {
        self.body = body
        self.names = names
        outlined = outline.members.map(\.raw)
        hasPlainTools = outline["tools"].map { $0.plainTools > 0 } ?? false
        messageHeaders = nil
        wire = .chat
    }

    package var bytes: UnsafeRawBufferPointer { body.bytes }

    /// The top-level members of the body; nil if two JSON parsers could read different members.
    ///
    /// Also nil if the body is no object or has more than 100 members.
    package var members: [RawJSON.Member]? {
        if let outlined { return Self.distinct(outlined, outlined.count) }
        let root = RawJSON(body.bytes)
        return root.isObject ? Self.distinct(root.members, 8) : nil
    }

    /// Returns the members of a JSON object; nil if two members have the same name, or if a name has an escape.
    ///
    /// Also nil for more than 100 members and for names longer than 100 bytes.
    static func distinct(_ object: RawJSON) -> [RawJSON.Member]? { distinct(object.members, 8) }

    /// Whether all JSON parsers find the same fields in the body: no object has a name twice, and no top-level name has
    /// an escape or is a known name in unusual letters.
    package var isUnambiguous: Bool {
        !names.contains(.repeated) && members?.allSatisfy { !FieldNames.isDisguised($0.name) } ?? false
    }

    /// Returns this request with the changes that it needs before it goes on.
    func applying(_ changes: RequestCheck.Changes) -> OriginalRequest {
        changes.isEmpty ? self : OriginalRequest(self, of: wire, messageHeaders, body: changes.applied(to: bytes))
    }

    /// Returns the body with other values of some top-level members. A member that is missing is added at the end.
    /// - Parameter values: the values as JSON.
    package func replacing(_ values: KeyValuePairs<StaticString, Body>) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(bytes.count + 64 * values.count)
        let members = members ?? []
        var done = 0
        for member in members {
            guard let value = values.first(where: { member.name.equals($0.key) })?.value,
                let start = member.value.bytes.baseAddress, let base = bytes.baseAddress
            else { continue }
            out.append(bytes[part: done..<(start - base)], value.bytes)
            done = start - base + member.value.bytes.count
        }
        let end = bytes.lastIndex(of: UInt8(ascii: "}")) ?? bytes.count
        out.append(bytes[part: done..<end])
        var isFirst = members.isEmpty
        for (name, value) in values where !members.contains(where: { $0.name.equals(name) }) {
            out.append(isFirst ? "\"" : ",\"", name, "\":")
            out.append(value.bytes)
            isFirst = false
        }
        out.append(bytes[part: end..<bytes.count])
        return Body(out)
    }

    private static let maxMembers = 100

    private static func distinct(_ all: some Sequence<RawJSON.Member>, _ count: Int) -> [RawJSON.Member]? {
        var members: [RawJSON.Member] = []
        members.reserveCapacity(count)
        for member in all {
            guard member.name.count <= 100, member.name.first(UInt8(ascii: "\\")) == nil, members.count < maxMembers,
                !members.contains(where: { $0.name.equals(member.name) })
            else { return nil }
            members.append(member)
        }
        return members
    }

    /// Returns whether the relay can leave the tools of a chat request unparsed.
    /// - Parameter isPassedOn: returns whether all providers of the named model accept a request unchanged.
    package static func canLeaveTools(_ outline: JSONOutline, _ isPassedOn: (String) -> Bool) -> Bool {
        guard distinct(outline.members.lazy.map(\.raw), outline.members.count) != nil,
            outline["functions"] == nil, outline["tool_choice"]?.raw.value.isObject != true,
            // A body of the Responses API has `input`, and its tools have another form.
            outline["input"] == nil, outline["messages"]?.raw.value.isArray == true,
            let model = outline["model"]?.raw.value.content, model.count <= Model.nameLimitBytes,
            model.first(UInt8(ascii: "\\")) == nil
        else { return false }
        return isPassedOn(model.text)
    }
}

extension Body {
    /// A copy without the byte order mark at the beginning; nil if there is none.
    fileprivate var withoutByteOrderMark: Body? {
        bytes.hasPrefix("\u{feff}") ? Body(copying: bytes[part: 3..<bytes.count]) : nil
    }
}
