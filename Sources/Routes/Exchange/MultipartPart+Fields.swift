import Calls
import Engine
import Shared

/// Checks of the parts of multipart forms that are forwarded to vendors.
extension MultipartPart {
    /// Throws if the part is a file but has the name of a plain field.
    func check() throws(APIError) {
        let plain = String(name.withoutIndex)
        // A vendor could read such a file as the plain field.
        if filename != nil, plain.withBytes(FieldNames.isOfValue) {
            throw APIError(400, "The field \(plain) is sent as a file.")
        }
    }

    /// Whether the part stays at the relay, which must not forward it to a vendor.
    var staysHere: Bool {
        let plain = String(name.withoutIndex)
        let isOneOfModels = plain.hasSameBytes(as: "model") && plain.utf8.count < name.utf8.count
        return ForwardedRequest.isOfRelay(name) || plain.withBytes(FieldNames.isDisguised) || isOneOfModels
    }
}
