import CCrypto

/// A key for authenticated encryption with AES-256-GCM (NIST SP 800-38D).
package struct SealingKey: Sendable {
    private let key: [UInt8]
    package static let byteCount = 32
    private static let nonceCount = 12
    private static let tagCount = 16
    /// The number of bytes by which encrypted data is longer than the original data.
    package static let overhead = nonceCount + tagCount

    package init(_ key: [UInt8]) {
        precondition(key.count == Self.byteCount)
        self.key = key
    }

    /// Derives a key from a secret with HKDF-SHA-256. Each purpose gives a different key.
    package init(derivedFrom secret: [UInt8], for purpose: [UInt8]) {
        key = hkdf(secret, salt: [], info: purpose, count: Self.byteCount)
    }

    /// Encrypts bytes. Returns a random nonce, the ciphertext and the tag, one after the other.
    /// - Parameter context: additional authenticated data, not contained in the result; `open` needs the same bytes.
    package func seal(_ bytes: [UInt8], context: [UInt8]) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: Self.nonceCount)
        precondition(RAND_bytes(&nonce, Int32(nonce.count)) == 1, "no random bytes")
        return nonce + seal(bytes, nonce: nonce, context: context)
    }

    /// Decrypts the result of `seal`. Returns nil if the key or the context is different, or the data was changed.
    package func open(_ sealed: [UInt8], context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.overhead else { return nil }
        let nonce = Array(sealed[..<Self.nonceCount])
        var tag = Array(sealed[(sealed.count - Self.tagCount)...])
        let coded = Array(sealed[Self.nonceCount..<(sealed.count - Self.tagCount)])
        return crypt(coded, nonce, context: context, isSealing: false, tag: &tag)
    }

    func seal(_ bytes: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: Self.tagCount)
        guard let coded = crypt(bytes, nonce, context: context, isSealing: true, tag: &tag) else {
            preconditionFailure("no AES-256-GCM")
        }
        return coded + tag
    }

    private func crypt(
        _ bytes: [UInt8],
        _ nonce: [UInt8],
        context: [UInt8],
        isSealing: Bool,
        tag: inout [UInt8]
    ) -> [UInt8]? {
        precondition(nonce.count == Self.nonceCount && bytes.count < 1 << 24 && context.count < 1 << 24)
        guard let cipher = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(cipher) }
        var result = [UInt8](repeating: 0, count: bytes.count + 16)
        var count: Int32 = 0
        var rest: Int32 = 0
        let tagCount = Int32(Self.tagCount)
        guard EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce, isSealing ? 1 : 0) == 1 else { return nil }
        guard context.isEmpty || EVP_CipherUpdate(cipher, nil, &rest, context, Int32(context.count)) == 1 else {
            return nil
        }
        guard bytes.isEmpty || EVP_CipherUpdate(cipher, &result, &count, bytes, Int32(bytes.count)) == 1 else {
            return nil
        }
        if !isSealing, EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, tagCount, &tag) != 1 { return nil }
        // When opening, this compares the tags in constant time.
        guard EVP_CipherFinal_ex(cipher, &result, &rest) == 1 else { return nil }
        if isSealing, EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, tagCount, &tag) != 1 { return nil }
        return Array(result[..<Int(count)])
    }
}

/// Returns `count` bytes, at most 8,160, which HKDF-SHA-256 (RFC 5869) derives from a secret.
package func hkdf(_ secret: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
    precondition(count <= 255 * Digest.byteCount)
    let extracted = hmac(key: salt, secret)
    var result: [UInt8] = []
    var block: [UInt8] = []
    var number: UInt8 = 0
    while result.count < count {
        number += 1
        block = hmac(key: extracted, block + info + [number])
        result += block
    }
    return Array(result[..<count])
}

/// Returns the HMAC-SHA-256 (RFC 2104) of the bytes.
package func hmac(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: Digest.byteCount)
    // An empty key still needs an address: without one, libcrypto uses the previous key.
    let isDone = relay_hmac(key.isEmpty ? [0] : key, key.count, bytes, bytes.count, &code)
    precondition(isDone, "no HMAC")
    return code
}
