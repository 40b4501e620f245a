import CSimdjson

/// The members of a JSON object as they are written, found by the first step of a parser. They are right if the parser
/// also accepts the text (`JSONParser.finish`).
package struct JSONOutline {
    package struct Member {
        package let raw: RawJSON.Member
        /// The levels of arrays and objects in the value.
        package let levels: Int
        /// The number of plain tools in the value; 0 for any other value. Plain tools are valid, and need not be read.
        package let plainTools: Int
        let span: relay_json_span
    }

    package let members: [Member]

    /// Returns the only member of this name; nil if there is none.
    package subscript(_ name: StaticString) -> Member? { members.first { $0.raw.name.equals(name) } }

    /// Creates the outline of a text.
    ///
    /// - Parameter spans: the spans of its members.
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
