import Engine

/// A login session of the operator on the admin pages.
package struct AdminSession: Sendable, Equatable {
    /// The identifier of a session. It does not reveal the session's token.
    package struct ID: Hashable, Sendable {
        let high: UInt64
        let low: UInt64
    }

    package let user: String
    /// The time of the login, in milliseconds since 1970.
    package let issuedAt: Int
    /// The time at which the session ends, in milliseconds since 1970.
    package let expiresAt: Int
    package let id: ID
    /// Whether the session may only read.
    package let isViewer: Bool

    init(user: String, issuedAt: Int, expiresAt: Int, random: [UInt8], isViewer: Bool = false) {
        self.user = user
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.isViewer = isViewer
        let (high, low, _, _) = random.withUnsafeBytes { Digest(of: $0) }.words
        id = ID(high: high, low: low)
    }
}

/// The signer of admin sessions: creates and checks their tokens.
///
/// Instances with the same secret, user name and password accept each other's tokens.
struct SessionSigner: Sendable {
    private let key: [UInt8]
    private let user: String
    private let isViewer: Bool

    private static let format: UInt8 = 1
    private static let randomBytes = 32
    /// The length of a token's part before the user name, in bytes: the format, the two times and the random bytes.
    private static let headBytes = 1 + 8 + 8 + randomBytes
    /// The largest length of a token that is accepted, in base64url characters.
    static let limitCharacters = (headBytes + SettingType.tokenLimit + Digest.byteCount) * 4 / 3 + 4

    init(secret: [UInt8], user: String, password: Digest, isViewer: Bool = false) {
        key = hkdf(secret, salt: [], info: password.withBytes { Array("relay session".utf8) + $0 }, count: 32)
        self.user = user
        self.isViewer = isViewer
    }

    /// Returns the token of a new session. Times are milliseconds since 1970.
    func token(from issuedAt: Int, until expiresAt: Int, random source: RandomBytes) -> String {
        var bytes = [Self.format]
        bytes += Self.bytes(UInt64(clamping: issuedAt)) + Self.bytes(UInt64(clamping: expiresAt))
        for _ in 0..<Self.randomBytes / 8 { bytes += Self.bytes(source.next()) }
        bytes += user.utf8
        return Base64.url.text(bytes + hmac(key: key, bytes))
    }

    /// Returns the session that a token encodes; nil if the token is invalid or has expired.
    func session(of token: UnsafeRawBufferPointer, at now: Int) -> AdminSession? {
        guard token.count <= Self.limitCharacters, let bytes = Base64.url.bytes(token),
            bytes.count >= Self.headBytes + Digest.byteCount, bytes[0] == Self.format
        else { return nil }
        let signed = Array(bytes.dropLast(Digest.byteCount))
        let (own, given) = (hmac(key: key, signed), Array(bytes.suffix(Digest.byteCount)))
        let isOwn = own.withUnsafeBytes { own in given.withUnsafeBytes { areEqualInConstantTime(own, $0) } }
        guard isOwn, signed[Self.headBytes...].elementsEqual(user.utf8) else { return nil }
        let expiresAt = Self.number(signed[9..<17])
        guard expiresAt > now else { return nil }
        return AdminSession(
            user: user,
            issuedAt: Self.number(signed[1..<9]),
            expiresAt: expiresAt,
            random: Array(signed[17..<Self.headBytes]),
            isViewer: isViewer
        )
    }

    private static func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian, Array.init) }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        Int(clamping: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
