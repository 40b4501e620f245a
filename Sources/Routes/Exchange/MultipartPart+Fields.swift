import Calls
import Engine

/// Parts of forms that go on as they came.
extension MultipartPart {
    /// Throws if others may read the part as a file, or as a value, where the relay reads the other.
    func check() throws(RequestError) {
        let plain = String(name.withoutIndex)
        if filename != nil, plain.withBytes(FieldNames.isOfValue) {
            throw RequestError(400, "The field \(plain) is sent as a file.")
        }
    }

    /// Only the relay knows it, or others may read it as another field than the relay does.
    var staysHere: Bool {
        let plain = String(name.withoutIndex)
        let isOneOfModels = plain.hasSameBytes(as: "model") && plain.utf8.count < name.utf8.count
        return ForwardedRequest.isOfRelay(name) || plain.withBytes(FieldNames.isDisguised) || isOneOfModels
    }
}
