import Engine

/// A JSON Web Token (RFC 7519, signed as in RFC 7515) of an issuer in the settings. Its signature is not checked yet.
package struct SignedToken {
    /// The issuer, as the settings write it.
    package let issuer: String
    /// The name of the key that must have signed the token.
    package let keyName: IssuedKey.Name
    let digest: Digest
    let claims: JSONDocument
    private let signed: [UInt8]
    private let signature: [UInt8]

    package static let limitBytes = 16_384
    /// The time by which the clocks of the issuer and of the relay may differ.
    private static let toleranceMilliseconds = 60_000
    private static let maxSeconds = 1e12

    private typealias Part = Slice<UnsafeRawBufferPointer>

    /// Returns whether a key has the form of a token: three parts, of which the first is a header that has `alg`.
    static func isOne(_ bearer: UnsafeRawBufferPointer) -> Bool { parsed(bearer) != nil }

    static func names(_ issuers: some Sequence<String>, in bearer: UnsafeRawBufferPointer) -> Bool {
        guard let (parts, _) = parsed(bearer), let claims = document(parts[1]) else { return false }
        return issuer(in: claims, of: issuers) != nil
    }

    private static func issuer(in claims: JSONDocument, of issuers: some Sequence<String>) -> String? {
        claims.read { claims in issuers.first { claims["iss"]?.isIssuer($0) ?? false } }
    }

    private static func parsed(_ bearer: UnsafeRawBufferPointer) -> (parts: [Part], header: JSONDocument)? {
        let parts = bearer.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let header = document(parts[0]), header.read({ $0["alg"] != nil }) else { return nil }
        return (parts, header)
    }

    private static func document(_ part: Part) -> JSONDocument? {
        guard let bytes = Base64.url.bytes(part) else { return nil }
        var text = ByteBuffer()
        bytes.withUnsafeBytes { text.append($0) }
        return JSONDocument(Body(text))
    }

    /// Reads a token. Throws the error for the client if the token cannot be one of these issuers.
    init(_ bearer: UnsafeRawBufferPointer, of issuers: some Sequence<String>) throws(APIError) {
        guard let (parts, header) = Self.parsed(bearer), let claims = Self.document(parts[1]),
            let signature = Base64.url.bytes(parts[2])
        else { throw .tokenNotAccepted("it is damaged") }
        // Each extension in `crit` would have to be understood.
        let algorithm = header.read { $0["crit"] == nil ? $0["alg"]?.string : nil }
        guard let algorithm = algorithm.flatMap(VerifyingKey.Algorithm.init) else {
            throw .tokenNotAccepted("it is not signed by RS256, ES256 or EdDSA")
        }
        guard let issuer = Self.issuer(in: claims, of: issuers) else {
            throw .tokenNotAccepted("its issuer is unknown")
        }
        self.issuer = issuer
        keyName = IssuedKey.Name(algorithm: algorithm, id: header.read { $0["kid"]?.text.map { Digest(of: $0) } })
        digest = Digest(of: bearer)
        self.claims = claims
        signed = Array(bearer[part: 0..<(parts[2].startIndex - 1)])
        self.signature = signature
    }

    func isSigned(by key: VerifyingKey) -> Bool { key.accepts(signature, of: signed) }

    /// Returns the time from which the token is refused, in milliseconds since 1970. Throws the error for the client if the
    /// token is not valid at `now`.
    func end(at now: Int) throws(APIError) -> Int {
        let (end, start) = claims.read { claims in
            (Self.milliseconds(claims["exp"]), claims["nbf"] == nil ? now : Self.milliseconds(claims["nbf"]))
        }
        guard let end, let start else { throw .tokenNotAccepted("it has no valid exp or nbf") }
        let last = end + Self.toleranceMilliseconds
        guard now < last else { throw .tokenNotAccepted("it has expired", isForged: false) }
        guard start - Self.toleranceMilliseconds <= now else {
            throw .tokenNotAccepted("it is not valid yet", isForged: false)
        }
        return last
    }

    private static func milliseconds(_ value: JSONValue?) -> Int? {
        value?.number.map { Int(max(0, min($0, maxSeconds)) * 1_000) }
    }
}

extension JSONValue {
    /// Returns whether this text is the issuer. One slash at its end does not count.
    func isIssuer(_ issuer: String) -> Bool {
        guard let text else { return false }
        let count = text.last == UInt8(ascii: "/") ? text.count - 1 : text.count
        return issuer.withBytes { text[part: 0..<count].equals($0) }
    }
}

extension APIError {
    /// - Parameter isForged: whether anybody could have made the token, so that it counts as a guessed key.
    static func tokenNotAccepted(_ reason: StaticString, isForged: Bool = true) -> APIError {
        var error = APIError(401, "This token is not accepted: \(reason).", code: "token_not_accepted")
        error.isWrongKey = isForged
        return error
    }
}
