package import Engine

/// The digest of a request under which its response is cached. The name and the encryption key of a stored response are
/// computed from this digest.
package struct CacheKey: Hashable, Sendable {
    let digest: Digest

    package init(_ digest: Digest) { self.digest = digest }

    /// Returns the name of the cached response in a shared store. `generation` is the number from `CacheGeneration`.
    func name(_ generation: Int) -> String {
        let digest = Digest(of: bytes(after: "name \(generation) of "))
        return "relay:1:answer:\(digest.base64url(characters: Self.nameLength))"
    }

    /// The name of the response's file in the cache directory.
    var fileName: String { Digest(of: bytes(after: "name of ")).base64url(characters: Self.nameLength) }

    private static let nameLength = 43

    static func isFileName(_ name: String) -> Bool {
        name.utf8.count == nameLength && Base64.url.bytes(name.utf8) != nil
    }

    func seal(_ response: Body) -> [UInt8] { key.seal(Array(response.bytes), context: Self.context) }

    /// Decrypts a cached response. Returns nil if the data is damaged or belongs to another request.
    func open(_ sealed: [UInt8]) -> Body? {
        key.open(sealed, context: Self.context).map { opened in opened.withUnsafeBytes { Body(copying: $0) } }
    }

    private var key: SealingKey { SealingKey(derivedFrom: bytes(after: ""), for: Array("answers".utf8)) }

    /// The version of the encryption format. Decryption fails if a response was encrypted with another version.
    private static let context: [UInt8] = [1]

    private func bytes(after beginning: String) -> [UInt8] { digest.withBytes { Array(beginning.utf8) + $0 } }
}

extension Digest {
    fileprivate init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }
}
