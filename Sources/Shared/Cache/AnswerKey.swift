package import Engine

/// The digest of a request, by which its answer is found.
///
/// A store that others may read has the answer under another digest, sealed: only who knows the request opens it.
package struct AnswerKey: Hashable, Sendable {
    private let digest: Digest

    package init(_ digest: Digest) { self.digest = digest }

    /// In a shared store.
    var name: String { "relay:1:answer:\(Digest(of: bytes(after: "name of ")).base64url(characters: 43))" }

    var seal: SealingKey { SealingKey(derivedFrom: bytes(after: ""), for: Array("answers".utf8)) }

    /// Of what is sealed, and how.
    static let context: [UInt8] = [1]

    private func bytes(after beginning: String) -> [UInt8] { digest.withBytes { Array(beginning.utf8) + $0 } }
}

extension Digest {
    fileprivate init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }
}
