import Calls
import Engine

/// Checks the parts of forms that are forwarded.
extension MultipartPart {
    /// Throws if a vendor may read the part as a value although it was sent as a file.
    func check() throws(RequestError) {
        let plain = String(name.withoutIndex)
        if filename != nil, plain.withBytes(FieldNames.isOfValue) {
            throw RequestError(400, "The field \(plain) is sent as a file.")
        }
    }

    /// Whether the part must not be forwarded: only the relay uses it, or a vendor may read it as another field.
    var staysHere: Bool {
        let plain = String(name.withoutIndex)
        let isOneOfModels = plain.hasSameBytes(as: "model") && plain.utf8.count < name.utf8.count
        return ForwardedRequest.isOfRelay(name) || plain.withBytes(FieldNames.isDisguised) || isOneOfModels
    }
}
