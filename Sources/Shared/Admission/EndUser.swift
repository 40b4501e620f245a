package import Engine

/// The end user of a request, as its body and header name the user.
package struct EndUser: Sendable {
    private var safetyIdentifier: String?
    private var user: String?
    /// The ids in header fields, by the names of the fields.
    private var headers: [String: String] = [:]

    package init(safetyIdentifier: String? = nil, user: String? = nil) {
        self.safetyIdentifier = safetyIdentifier
        self.user = user
    }

    /// Creates the user whom the header fields among these places name.
    init(_ places: [LimitSettings.UserPlace], of request: Request) { read(places, of: request) }

    /// Reads the header fields among these places.
    private mutating func read(_ places: [LimitSettings.UserPlace], of request: Request) {
        for case .header(let name) in places {
            if let id = request.lines(named: name).first { headers[name] = id.text }
        }
    }

    /// Adds the ids that the request's body has.
    package mutating func add(_ body: EndUser) {
        (safetyIdentifier, user) = (body.safetyIdentifier, body.user)
    }

    /// Returns the digest of the id at the first of these places that has one; nil if none has.
    func digest(at places: [LimitSettings.UserPlace]) -> Digest? { id(at: places).map { Digest(of: $0) } }

    /// Returns the user's name in usage records; nil if no place has one.
    /// - Parameters:
    ///   - caller: the name of the caller. The users of different callers have different digests.
    ///   - scope: the key of digests; nil for the id itself.
    package func recorded(
        at places: [LimitSettings.UserPlace],
        of request: Request,
        _ caller: String,
        in scope: StoreScope?
    ) -> String? {
        var user = self
        user.read(places, of: request)
        guard let id = user.id(at: places) else { return nil }
        return scope?.digest(ofUser: id, of: caller) ?? id.beginning(ofBytes: Self.maxBytes)
    }

    private static let maxBytes = 300

    private func id(at places: [LimitSettings.UserPlace]) -> String? {
        places.lazy.compactMap { place -> String? in
            let id =
                switch place {
                case .safetyIdentifier: safetyIdentifier
                case .user: user
                case .header(let name): headers[name]
                }
            return id?.isEmpty == false ? id : nil
        }.first
    }
}

/// The form in which usage records name end users (`USAGE_USERS`).
package enum RecordedUsers: String, CaseIterable, Sendable {
    case off
    case digest
    case plain
}
