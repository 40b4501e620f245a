package import Engine

/// A request that a vendor refused, as far as its caller chose its content.
package struct RefusedRequest: Sendable {
    /// The JSON of the request; nil for a form.
    let body: Body?
    /// The texts beside the body: the fields of a form, values of header lines, and names in the address.
    let others: [String]

    package init(_ body: Body?, beside others: [String] = []) {
        self.body = body
        self.others = others
    }
}
