import Engine

/// A public key of an issuer, from its set of keys (RFC 7517).
package struct IssuedKey: Sendable {
    /// The algorithm and the id by which a token names its key. The id is the digest of `kid`, or nil.
    package struct Name: Sendable {
        let algorithm: VerifyingKey.Algorithm
        let id: Digest?
    }

    fileprivate let id: Digest?
    fileprivate let key: VerifyingKey

    private static let maxKeys = 32

    /// Returns the keys of a set that check one of the algorithms.
    static func all(in document: JSONDocument) -> [IssuedKey] {
        document.read { root in (root["keys"]?.elements ?? JSONElements()).prefix(maxKeys).compactMap(IssuedKey.init) }
    }

    private init?(_ value: JSONValue) {
        guard value["use"]?.text?.equals("sig") ?? true, let key = VerifyingKey(jwk: value) else { return nil }
        (id, self.key) = (value["kid"]?.text.map { Digest(of: $0) }, key)
    }
}

extension [IssuedKey] {
    /// Returns the key of this name; nil if there is none. A name without an id is that of the only key of its algorithm.
    func named(_ name: IssuedKey.Name) -> VerifyingKey? {
        let keys = filter { $0.key.algorithm == name.algorithm && (name.id == nil || $0.id == name.id) }
        return name.id != nil || keys.count == 1 ? keys.first?.key : nil
    }
}
