package import Shared

/// What a chat request brings besides text.
package struct ChatPart: Sendable {
    package enum Kind: Sendable {
        case picture
        case file
        case sound

        /// How many of them one request may bring.
        package var most: Int {
            switch self {
            case .picture, .file: 20
            case .sound: 5
            }
        }

        /// What one of them may have at most, decoded.
        package var limitBytes: Int {
            switch self {
            case .picture: Picture.limitBytes
            case .file: 50 * 1_048_576
            case .sound: 25 * 1_048_576
            }
        }

        fileprivate var plural: StaticString {
            switch self {
            case .picture: "pictures"
            case .file: "files"
            case .sound: "sounds"
            }
        }
    }

    package enum Source: Sendable {
        case data(Base64Text)
        case address(String)
        /// The id of a file that the caller uploaded before.
        case file(id: String)
    }

    /// Before which byte of which message's text it stands.
    package struct Spot: Sendable {
        package let message: Int
        package let offset: Int
    }

    package let kind: Kind
    package let source: Source
    /// As the caller calls it.
    package let name: String?
    /// What the request calls it, for errors.
    package let param: String
    /// Nil: it belongs to the whole.
    package let spot: Spot?

    init(_ kind: Kind, _ source: Source, name: String? = nil, param: String, spot: Spot?) {
        self.kind = kind
        self.source = source
        self.name = name
        self.param = param
        self.spot = spot
    }
}

extension [ChatPart] {
    /// One more, if there is room for it.
    mutating func add(_ part: ChatPart) throws(APIError) {
        guard count(where: { $0.kind == part.kind }) < part.kind.most else {
            let param = part.spot == nil ? part.param : "messages"
            throw .value(
                param,
                "at most \(part.kind.most) \(part.kind.plural) are taken at once",
                code: "too_many_parts"
            )
        }
        append(part)
    }
}
