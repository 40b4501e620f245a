import Engine

/// A settings document that the relay downloads from `CONFIG_URL`. It has dotenv syntax and may be encrypted.
enum RemoteDocument {
    private static let sealedMark = "aes-256-gcm:"

    /// Returns the dotenv text of a downloaded document. Decrypts the document if there is a key.
    /// - Parameter key: the key of the document (`CONFIG_KEY`); nil if the document is not encrypted.
    /// - Throws: `FileProblem` if the key is missing or does not fit.
    static func opened(_ bytes: [UInt8], key: String?) throws(FileProblem) -> [UInt8] {
        let isMarked = bytes.starts(with: sealedMark.utf8)
        guard let key else {
            if isMarked { throw problem("the document is encrypted; set CONFIG_KEY") }
            return bytes
        }
        let text = bytes.dropFirst(isMarked ? sealedMark.utf8.count : 0).filter { $0 > 32 }
        let plain = Base64.standard.bytes(text).flatMap { isMarked ? unsealed($0, key) : unlocked($0, key) }
        guard let plain, String(validating: plain, as: UTF8.self) != nil else {
            throw problem("the document cannot be decrypted with CONFIG_KEY")
        }
        return plain
    }

    private static func unsealed(_ bytes: [UInt8], _ key: String) -> [UInt8]? {
        SealingKey(Digest(of: key).withBytes { Array($0) }).open(bytes, context: [])
    }

    /// Decrypts a document that is encrypted with AES-128-ECB, as other relay programs require it.
    private static func unlocked(_ bytes: [UInt8], _ key: String) -> [UInt8]? {
        let padding = [UInt8](repeating: 0, count: BlockCipher.keyBytes)
        return BlockCipher.open(bytes, key: Array((Array(key.utf8) + padding).prefix(BlockCipher.keyBytes)))
    }

    /// Returns whether the text is probably YAML, the settings format of another relay program.
    static func looksLikeYAML(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: 10).contains { $0.starts(with: "providers:".utf8) }
    }

    private static func problem(_ text: String) -> FileProblem { FileProblem(text: text, isAbsence: false) }
}
