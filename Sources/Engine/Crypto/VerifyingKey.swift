import CCrypto

/// A public key that checks signatures of JSON Web Tokens.
///
/// `@unchecked`: the key never changes, and libcrypto checks with one key on several threads at once.
package final class VerifyingKey: @unchecked Sendable {
    package enum Algorithm: String, Sendable {
        case rs256 = "RS256"
        case es256 = "ES256"
        case edDSA = "EdDSA"
    }

    package let algorithm: Algorithm
    private let key: OpaquePointer

    /// The sizes of an RSA key. A larger one would occupy an event loop.
    private static let bitsOfRSA: ClosedRange<Int32> = 2_048...8_192
    private static let maxJWKBytes = 4_096

    /// Creates a key from the members of a JSON Web Key (RFC 7517, 7518, 8037); nil if the key is for another algorithm, or
    /// invalid.
    package convenience init?(jwk: JSONValue) {
        func bytes(_ name: StaticString) -> [UInt8] {
            jwk[name]?.text.flatMap { $0.count > Self.maxJWKBytes ? nil : Base64.url.bytes($0) } ?? []
        }
        switch (jwk["kty"]?.string, jwk["crv"]?.string) {
        case ("RSA", nil):
            let kind: [UInt8] = [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0]
            self.init(.rs256, kind, der(0x30, derInteger(bytes("n")) + derInteger(bytes("e"))))
        case ("EC", "P-256"):
            let curve: [UInt8] = [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7]
            self.init(.es256, [6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1] + curve, [4] + bytes("x") + bytes("y"))
        case ("OKP", "Ed25519"): self.init(.edDSA, [6, 3, 0x2B, 0x65, 0x70], bytes("x"))
        default: return nil
        }
        if let stated = jwk["alg"]?.string, stated != algorithm.rawValue { return nil }
    }

    /// Creates a key from the fields of `SubjectPublicKeyInfo` (RFC 5280): the identifiers of its kind, and its bits.
    private init?(_ algorithm: Algorithm, _ kind: [UInt8], _ bits: [UInt8]) {
        let info = der(0x30, der(0x30, kind) + der(3, [0] + bits))
        let key = info.withUnsafeBufferPointer { info in
            var next = info.baseAddress
            return d2i_PUBKEY(nil, &next, info.count)
        }
        guard let key, algorithm != .rs256 || Self.bitsOfRSA.contains(EVP_PKEY_get_bits(key)) else {
            EVP_PKEY_free(key)
            ERR_clear_error()
            return nil
        }
        (self.algorithm, self.key) = (algorithm, key)
    }

    deinit { EVP_PKEY_free(key) }

    package func accepts(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        var signature = signature
        if algorithm == .es256 {
            guard signature.count == 64 else { return false }
            // JSON Web Tokens have the two numbers side by side, libcrypto expects them in DER.
            signature = der(0x30, derInteger(signature.prefix(32)) + derInteger(signature.suffix(32)))
        }
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_MD_CTX_free(context) }
        let digest = algorithm == .edDSA ? nil : EVP_sha256()
        let isAccepted =
            EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // Errors that stay would be taken for those of a later TLS connection on this thread.
        if !isAccepted { ERR_clear_error() }
        return isAccepted
    }
}

/// Returns a value in DER (X.690), which must be shorter than 65,536 bytes.
private func der(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    let (high, low) = (UInt8(content.count >> 8), UInt8(content.count & 255))
    let size: [UInt8] = content.count < 128 ? [low] : [0x82, high, low]
    return [tag] + size + content
}

/// Returns a number that is not negative in DER. `bytes` begins with its highest byte.
private func derInteger(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    let digits = Array(bytes.drop { $0 == 0 })
    return der(2, (digits.first ?? 128) < 128 ? digits : [0] + digits)
}
