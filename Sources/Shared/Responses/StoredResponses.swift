package import Engine
package import Limits

/// A response of the Responses API that the relay stores for later requests.
package struct StoredResponse: Sendable {
    /// The response object as the client received it, as JSON.
    package let object: Body
    /// The input items of the request and of the responses that the request continues, as a JSON array.
    package let input: Body

    /// The largest size of a response together with its input, in bytes.
    package static let limitBytes = 524_288

    package init(object: Body, input: Body) {
        self.object = object
        self.input = input
    }

    /// The response as bytes: the length of `object`, then `object`, then `input`.
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

/// A caller who owns stored responses. Only the owner can find and decrypt them.
package struct ResponseOwner: Sendable {
    private let seal: OwnerSeal

    /// Creates the owner for a caller; nil if the caller is anonymous.
    /// - Parameter secret: the value of `FILE_ID_SECRET`; nil to use the caller's token instead.
    package init?(_ caller: Caller, secret: String?) {
        guard let seal = OwnerSeal(caller, secret: secret, for: "responses of ", version: 1) else { return nil }
        self.seal = seal
    }

    package func seal(_ response: StoredResponse, _ id: String) -> [UInt8] { seal.seal(response.coded, named: id) }

    /// Decrypts the owner's response; nil if the data is damaged or has another id.
    package func open(_ sealed: [UInt8], _ id: String) -> StoredResponse? {
        seal.open(sealed, named: id).flatMap { StoredResponse(coded: $0) }
    }

    /// Returns the key under which the store contains the owner's response with this id.
    fileprivate func key(_ id: String) -> String {
        "relay:1:response:\(Digest(of: "\(seal.identity.text) \(id)").base64url(characters: 22))"
    }
}

/// The store of all callers' responses. A restart of memcached clears the store; without memcached, a restart of the
/// relay does.
package struct StoredResponses: Sendable {
    private let state: SharedState

    /// The lifetime of a stored response: 30 days, as at OpenAI.
    private static let expirySeconds = 30 * 86_400
    /// The data that replaces a deleted response in the store.
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

    /// Returns the owner's encrypted response with this id; nil if there is none, or if it was deleted or has expired.
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

    /// Deletes the owner's response with this id. Returns false if there is no such response.
    package func delete(_ id: String, of owner: ResponseOwner, on loop: EventLoop) async throws(StoreFailure) -> Bool {
        guard Self.isID(id) else { return false }
        return try await state.update(owner.key(id), expirySeconds: 1, on: loop) { found in
            found == nil || found == Self.gone ? .init(nil, false) : .init(Self.gone, true)
        }
    }

    private static func isID(_ id: String) -> Bool {
        let bytes = id.utf8
        return bytes.count == 5 + RandomBytes.idLength && bytes.starts(with: "resp_".utf8)
            && bytes.dropFirst(5).allSatisfy(\.isLetterOrDigit)
    }
}
