import Engine

/// The end user of a request, as its body and header name the user.
package struct EndUser: Sendable {
    private var safetyIdentifier: String?
    private var user: String?
    /// The digests of the ids in header fields, by the names of the fields.
    private var headers: [String: Digest] = [:]

    package init(safetyIdentifier: String? = nil, user: String? = nil) {
        self.safetyIdentifier = safetyIdentifier
        self.user = user
    }

    /// Reads the header fields among these places.
    mutating func read(_ places: [LimitSettings.UserPlace], of request: Request) {
        for case .header(let name) in places {
            guard let id = request.lines(named: name).first, !id.isEmpty else { continue }
            headers[name] = Digest(of: id)
        }
    }

    /// Adds the ids that the request's body has.
    package mutating func add(_ body: EndUser) {
        (safetyIdentifier, user) = (body.safetyIdentifier, body.user)
    }

    /// Returns the digest of the id at the first of these places that has one; nil if none has.
    func digest(at places: [LimitSettings.UserPlace]) -> Digest? {
        places.lazy.compactMap { place in
            switch place {
            case .safetyIdentifier: Self.digest(safetyIdentifier)
            case .user: Self.digest(user)
            case .header(let name): headers[name]
            }
        }.first
    }

    private static func digest(_ id: String?) -> Digest? {
        guard let id, !id.isEmpty else { return nil }
        return Digest(of: id)
    }
}
