/// A field beside which alone a quirk holds, because the vendor refused a combination of fields.
package struct OtherField: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case absent
        case present
        /// The field has this value, or is an object of this type.
        case equal(String)
    }

    /// The paths in the request's body, of which the first that is present counts.
    package let paths: [String]
    package let state: State

    /// The field with its state, in words: `with thinking=enabled`.
    var text: String {
        switch state {
        case .absent: "without \(paths[0])"
        case .present: "with \(paths[0])"
        case .equal(let value): "with \(paths[0])=\(value)"
        }
    }
}
