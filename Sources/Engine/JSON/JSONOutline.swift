import CSimdjson

/// The members of a JSON object and their offsets in its text. The outline is reliable only if `JSONParser.finish`
/// succeeds.
package struct JSONOutline {
    package struct Member {
        package let raw: RawJSON.Member
        /// The number of nested levels of arrays and objects in the member's value.
        package let levels: Int
        /// The number of tools in an array of plain tools; otherwise 0. A plain tool is a function tool whose JSON is
        /// known to be valid.
        package let plainTools: Int
        let span: relay_json_span
    }

    package let members: [Member]

    /// Returns the first member with this name; nil if the object has no such member.
    package subscript(_ name: StaticString) -> Member? { members.first { $0.raw.name.equals(name) } }

    /// Creates an outline from the offsets of each member's name and value in `text`, which the parser found.
    init(_ text: UnsafeRawBufferPointer, _ spans: some Collection<relay_json_span>) {
        members = spans.map { span in
            let name = text[part: Int(span.name)..<Int(span.name + span.name_count)]
            let value = text[part: Int(span.value)..<Int(span.value + span.value_count)]
            return Member(
                raw: RawJSON.Member(name: name, value: RawJSON(value: value)),
                levels: Int(span.levels),
                plainTools: Int(span.tools),
                span: span
            )
        }
    }
}
