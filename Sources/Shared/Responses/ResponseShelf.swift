package import Engine
package import Limits

/// A response as it is kept: JSON.
package struct StoredResponse: Sendable {
    /// The response as its caller got it.
    package let object: Body
    /// The items that it answers, those of earlier responses too: an array.
    package let input: Body

    /// Of one response with its input.
    package static let limitBytes = 524_288

    package init(object: Body, input: Body) {
        self.object = object
        self.input = input
    }

    /// The length of the object, its lowest byte first, then both.
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

/// A caller as the owner of responses.
package struct ResponseOwner: Sendable {
    private let seal: OwnerSeal

    /// Nil: the caller is anonymous and owns nothing. `secret`: `FILE_ID_SECRET`.
    package init?(_ caller: Caller, secret: String?) {
        guard let seal = OwnerSeal(caller, secret: secret, for: "responses of ", version: 1) else { return nil }
        self.seal = seal
    }

    package func seal(_ response: StoredResponse, _ id: String) -> [UInt8] { seal.seal(response.coded, named: id) }

    /// Nil: it is not readable.
    package func open(_ sealed: [UInt8], _ id: String) -> StoredResponse? {
        seal.open(sealed, named: id).flatMap { StoredResponse(coded: $0) }
    }

    /// Another caller's response has another key.
    fileprivate func key(_ id: String) -> String {
        "relay:1:response:\(Digest(of: "\(seal.identity.text) \(id)").base64url(characters: 22))"
    }
}

/// The responses that are kept for callers, shared by all instances; lost in a flush or restart of the store.
package struct ResponseShelf: Sendable {
    private let state: SharedState

    /// 30 days, as OpenAI keeps them.
    private static let expirySeconds = 30 * 86_400
    /// In place of a deleted one.
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

    /// Sealed; nil: the owner has no such response, or none any more.
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

    /// False: there was none.
    package func delete(_ id: String, of owner: ResponseOwner, on loop: EventLoop) async throws(StoreFailure) -> Bool {
        guard Self.isID(id) else { return false }
        return try await state.update(owner.key(id), expirySeconds: 1, on: loop) { found in
            found == nil || found == Self.gone ? .init(nil, false) : .init(Self.gone, true)
        }
    }

    /// `resp_`, and letters and digits.
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
