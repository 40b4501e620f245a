package import Engine

/// The cache key of a request: a digest by which its cached response is found.
///
/// In a store that others can read, the response has a name made of another digest, and is encrypted: only an equal
/// request can decrypt it.
package struct CacheKey: Hashable, Sendable {
    let digest: Digest

    package init(_ digest: Digest) { self.digest = digest }

    /// Returns the name in a shared store.
    ///
    /// - Parameter generation: see `CacheGeneration`.
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

    /// Decrypts a cached response; nil if the data does not belong to this request.
    func open(_ sealed: [UInt8]) -> Body? {
        key.open(sealed, context: Self.context).map { opened in opened.withUnsafeBytes { Body(copying: $0) } }
    }

    private var key: SealingKey { SealingKey(derivedFrom: bytes(after: ""), for: Array("answers".utf8)) }

    /// The version of the encrypted content, authenticated with it.
    private static let context: [UInt8] = [1]

    private func bytes(after beginning: String) -> [UInt8] { digest.withBytes { Array(beginning.utf8) + $0 } }
}

extension Digest {
    fileprivate init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }
}
