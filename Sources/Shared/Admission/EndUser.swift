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
                case .user: user.map(Self.withoutSession)
                case .header(let name): headers[name]
                }
            return id?.isEmpty == false ? id : nil
        }.first
    }

    /// Returns the id without the session that Claude Code writes into it: an object with `account_uuid`, `device_id` and
    /// `session_id`, before version 2.1.78 `user_…_account_…_session_…`.
    private static func withoutSession(_ id: String) -> String {
        id.withBytes { bytes in
            if RawJSON(bytes).isObject {
                let object = RawJSON(bytes)
                if object["session_id"] == nil { return id }
                let ids = [object["account_uuid"], object["device_id"]].compactMap { $0?.content }
                return ids.first { !$0.isEmpty }?.text ?? id
            }
            var scan = ByteScan(bytes)
            guard bytes.hasPrefix("user_"), scan.find("_account_"), scan.find("_session_") else { return id }
            return bytes[part: 0..<(scan.offset - "_session_".utf8.count)].text
        }
    }
}

/// The form in which usage records name end users (`USAGE_USERS`).
package enum RecordedUsers: String, CaseIterable, Sendable {
    case off
    case digest
    case plain
}
