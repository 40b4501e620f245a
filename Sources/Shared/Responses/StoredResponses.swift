package import Engine
package import Limits

/// A stored response of the Responses API, as JSON.
package struct StoredResponse: Sendable {
    /// The response object as the caller got it.
    package let object: Body
    /// The input items of the response, including those of earlier responses, as a JSON array.
    package let input: Body

    /// The largest size of a response with its input, in bytes.
    package static let limitBytes = 524_288

    package init(object: Body, input: Body) {
        self.object = object
        self.input = input
    }

    /// The encoded response: the length of the object as four bytes, little-endian, then the object and the input.
    fileprivate var coded: [UInt8] {
        let length = UInt32(truncatingIfNeeded: object.bytes.count)
        let head = (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) }
        return head + object.bytes + input.bytes
    }

    fileprivate init?(coded: [UInt8]) {
        guard coded.count >= 4 else { return nil }
        let length = (0..<4).reduce(0) { $0 | Int(coded[$1]) << (8 * $1) }
        guard length <= coded.count - 4 else { return nil }
        (object, input) = coded.withUnsafeBytes { bytes in
            (Body(copying: bytes[part: 4..<(4 + length)]), Body(copying: bytes[part: (4 + length)..<bytes.count]))
        }
    }
}

/// A caller as the owner of stored responses.
package struct ResponseOwner: Sendable {
    private let seal: OwnerSeal

    /// Creates the owner; nil if the caller is anonymous, because it cannot own responses. `secret` is
    /// `FILE_ID_SECRET`.
    package init?(_ caller: Caller, secret: String?) {
        guard let seal = OwnerSeal(caller, secret: secret, for: "responses of ", version: 1) else { return nil }
        self.seal = seal
    }

    package func seal(_ response: StoredResponse, _ id: String) -> [UInt8] { seal.seal(response.coded, named: id) }

    /// Decrypts a stored response; nil if the data is damaged or belongs to another response.
    package func open(_ sealed: [UInt8], _ id: String) -> StoredResponse? {
        seal.open(sealed, named: id).flatMap { StoredResponse(coded: $0) }
    }

    /// Returns the store's key of a response. It depends on the caller, so another caller's response of the same id has
    /// another key.
    fileprivate func key(_ id: String) -> String {
        "relay:1:response:\(Digest(of: "\(seal.identity.text) \(id)").base64url(characters: 22))"
    }
}

/// The stored responses of all callers, shared by all instances. They are lost if the store is flushed or restarted.
package struct StoredResponses: Sendable {
    private let state: SharedState

    /// The lifetime of a stored response: 30 days, as at OpenAI.
    private static let expirySeconds = 30 * 86_400
    /// The content that replaces a deleted response.
    private static let gone: [UInt8] = [0]

    package init(_ state: SharedState) { self.state = state }

    package func add(
        _ sealed: [UInt8],
        _ id: String,
        of owner: ResponseOwner,
        on loop: EventLoop
    ) async throws(StoreFailure) {
        try await state.update(owner.key(id), expirySeconds: Self.expirySeconds, on: loop) { _ in .init(sealed, ()) }
    }

    /// Returns an encrypted response; nil if the owner has no such response, or it was deleted or has expired.
    package func sealed(
        _ id: String,
        of owner: ResponseOwner,
        on loop: EventLoop
    ) async throws(StoreFailure) -> [UInt8]? {
        guard Self.isID(id), let found = try await state.read(owner.key(id), on: loop), found != Self.gone else {
            return nil
        }
        return found
    }

    /// Deletes a response. Returns false if there was none.
    package func delete(_ id: String, of owner: ResponseOwner, on loop: EventLoop) async throws(StoreFailure) -> Bool {
        guard Self.isID(id) else { return false }
        return try await state.update(owner.key(id), expirySeconds: 1, on: loop) { found in
            found == nil || found == Self.gone ? .init(nil, false) : .init(Self.gone, true)
        }
    }

    /// Returns whether the text has the form of a response id: `resp_`, then letters and digits.
    private static func isID(_ id: String) -> Bool {
        let bytes = id.utf8
        return bytes.count == 5 + RandomBytes.idLength && bytes.starts(with: "resp_".utf8)
            && bytes.dropFirst(5)
                .allSatisfy { byte in
                    switch byte {
                    case 48...57, 65...90, 97...122: true
                    default: false
                    }
                }
    }
}
