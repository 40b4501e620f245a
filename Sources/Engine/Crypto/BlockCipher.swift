import CCrypto

/// Decryption with AES-128 in ECB mode and PKCS#7 padding. ECB mode is weak: use it only for documents that other
/// programs encrypted this way.
package enum BlockCipher {
    package static let keyBytes = 16

    /// Decrypts bytes. Returns nil if the padding is invalid, which shows a wrong key or damaged data.
    package static func open(_ coded: [UInt8], key: [UInt8]) -> [UInt8]? {
        precondition(key.count == keyBytes && coded.count < 1 << 24)
        guard let cipher = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(cipher) }
        var result = [UInt8](repeating: 0, count: coded.count + 16)
        var count: Int32 = 0
        var rest: Int32 = 0
        guard EVP_CipherInit_ex(cipher, EVP_aes_128_ecb(), nil, key, nil, 0) == 1,
            EVP_CipherUpdate(cipher, &result, &count, coded, Int32(coded.count)) == 1
        else { return nil }
        let isWhole = result.withUnsafeMutableBufferPointer { room in
            EVP_CipherFinal_ex(cipher, room.baseAddress.map { $0 + Int(count) }, &rest) == 1
        }
        return isWhole ? Array(result[..<Int(count + rest)]) : nil
    }
}
