import Engine
package import Shared

/// Content of a chat request that is not text.
package struct Attachment: Sendable {
    package enum Kind: Sendable {
        case picture
        case file
        case sound

        /// The most of them in one request.
        package var most: Int {
            switch self {
            case .picture, .file: 20
            case .sound: 5
            }
        }

        /// The largest size of one of them, decoded.
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

    /// As closely as a picture is looked at.
    package enum Detail: String, Sendable, CaseIterable {
        case auto
        case low
        case high
        case original
    }

    package enum Source: Sendable {
        case data(Base64Text)
        case address(String)
        /// The id of a file that the caller uploaded before.
        case file(id: String)
        /// As the vendor calls it, which has it.
        case kept(String)
        /// The words that are said in it.
        case words(String)
    }

    package var kind: Kind
    package var source: Source
    /// As the caller calls it.
    package var name: String?
    /// Its path in the request, for errors.
    package let param: String
    /// No message names it: it belongs to the whole conversation.
    package let isOfWhole: Bool
    /// Of a picture; nil: the vendor chooses.
    package var detail: Detail?

    package init(_ kind: Kind, _ source: Source, name: String? = nil, param: String, isOfWhole: Bool = false) {
        self.kind = kind
        self.source = source
        self.name = name
        self.param = param
        self.isOfWhole = isOfWhole
    }
}

extension Attachment {
    /// In base64; 0 of what is only referred to.
    var sentBytes: Int { if case .data(let text) = source { text.base64.bytes.count } else { 0 } }

    /// The header of a picture lies within it, unless much was put before.
    private static let headerBytes = 65_536

    /// Of a picture, by its size where that is at hand; 0 for all else.
    var tokens: Int {
        guard kind == .picture else { return 0 }
        if detail == .low { return PictureSize.lowDetailTokens }
        guard case .data(let text) = source, let bytes = text.beginning(ofBytes: Self.headerBytes) else {
            return PictureSize.unknownTokens
        }
        return bytes.withUnsafeBytes { bytes in
            MediaType(content: bytes).flatMap { PictureSize(of: $0, bytes) }?.tokens ?? PictureSize.unknownTokens
        }
    }
}

extension [Attachment] {
    /// One more, if there is room for it.
    package mutating func add(_ new: Attachment) throws(APIError) {
        guard count(where: { $0.kind == new.kind }) < new.kind.most else {
            let param = new.isOfWhole ? new.param : "messages"
            throw .value(param, "at most \(new.kind.most) \(new.kind.plural) are taken at once", code: "too_many_parts")
        }
        append(new)
    }
}

extension [Attachment] {
    /// Leaves alone what a vendor reads itself; nobody else can read what is in a cloud. With a key of the relay's, the
    /// operator's account would read its own.
    package mutating func leave(to vendor: any ChatVendor, isCallersKey: Bool) throws(APIError) {
        for place in indices {
            guard case .address(let address) = self[place].source else { continue }
            let isInCloud = address.hasPrefix(Attachment.cloudScheme)
            if vendor.reads(address), isCallersKey || !isInCloud {
                self[place].source = .kept(address)
            } else if isInCloud {
                throw .picture(self[place].param, "is no data:, https: or http: URL", code: "invalid_image_url")
            }
        }
    }
}

/// The refusals of vendors that cannot take one.
extension Attachment {
    /// Of files in Google's cloud.
    package static let cloudScheme = "gs://"

    /// Of a file that is not at the model's provider.
    package var refusalAsAbsent: APIError {
        .value(param, "the model's provider does not have this file", code: "unsupported_value")
    }

    package var refusalAsSound: APIError { .unsupported(param, "The model's provider takes no sounds.") }
}
