import Engine

/// The end user of a request, as its body names the user.
package struct EndUser: Sendable {
    private let safetyIdentifier: String?
    private let user: String?

    package init(safetyIdentifier: String? = nil, user: String? = nil) {
        self.safetyIdentifier = safetyIdentifier
        self.user = user
    }

    /// Returns the digest of the id at the first of these places that has one; nil if none has.
    func digest(at places: [LimitSettings.UserPlace], of request: Request) -> Digest? {
        for place in places {
            if let digest = digest(in: place, of: request) { return digest }
        }
        return nil
    }

    private func digest(in place: LimitSettings.UserPlace, of request: Request) -> Digest? {
        switch place {
        case .safetyIdentifier: safetyIdentifier.flatMap(Self.digest)
        case .user: user.flatMap(Self.digest)
        case .header(let name): request.lines(named: name).first.flatMap { $0.isEmpty ? nil : Digest(of: $0) }
        }
    }

    private static func digest(_ id: String) -> Digest? { id.isEmpty ? nil : Digest(of: id) }
}
