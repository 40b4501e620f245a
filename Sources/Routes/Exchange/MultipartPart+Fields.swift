import Calls
import Engine

/// Checks of the parts of multipart forms that are forwarded to vendors.
extension MultipartPart {
    /// Throws if the part was sent as a file although its name is the name of a plain field. A vendor might still read
    /// such a part as the field.
    func check() throws(RequestError) {
        let plain = String(name.withoutIndex)
        if filename != nil, plain.withBytes(FieldNames.isOfValue) {
            throw RequestError(400, "The field \(plain) is sent as a file.")
        }
    }

    /// Whether the part must not be forwarded, because only the relay uses it or a vendor may read it as another field.
    var staysHere: Bool {
        let plain = String(name.withoutIndex)
        let isOneOfModels = plain.hasSameBytes(as: "model") && plain.utf8.count < name.utf8.count
        return ForwardedRequest.isOfRelay(name) || plain.withBytes(FieldNames.isDisguised) || isOneOfModels
    }
}
