package import Engine

/// The digest of a request, by which its answer is found.
///
/// A store that others may read has the answer under another digest, sealed: only who knows the request opens it.
package struct AnswerKey: Hashable, Sendable {
    let digest: Digest

    package init(_ digest: Digest) { self.digest = digest }

    /// In a shared store.
    var name: String { "relay:1:answer:\(fileName)" }

    /// In a directory.
    var fileName: String { Digest(of: bytes(after: "name of ")).base64url(characters: Self.nameLength) }

    private static let nameLength = 43

    static func isFileName(_ name: String) -> Bool {
        name.utf8.count == nameLength && Base64.url.bytes(name.utf8) != nil
    }

    func seal(_ answer: Body) -> [UInt8] { key.seal(Array(answer.bytes), context: Self.context) }

    /// Nil: it is not the answer to this request.
    func open(_ sealed: [UInt8]) -> Body? {
        key.open(sealed, context: Self.context).map { opened in opened.withUnsafeBytes { Body(copying: $0) } }
    }

    private var key: SealingKey { SealingKey(derivedFrom: bytes(after: ""), for: Array("answers".utf8)) }

    /// Of what is sealed, and how.
    private static let context: [UInt8] = [1]

    private func bytes(after beginning: String) -> [UInt8] { digest.withBytes { Array(beginning.utf8) + $0 } }
}

extension Digest {
    fileprivate init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }
}
