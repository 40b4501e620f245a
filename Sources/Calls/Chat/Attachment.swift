import Engine
package import Shared

/// Content of a chat request that is not text.
package struct Attachment: Sendable {
    package enum Kind: Sendable {
        case image
        case file
        case audio

        /// The most attachments of this kind in one request.
        package var most: Int {
            switch self {
            case .image, .file: 20
            case .audio: 5
            }
        }

        /// The largest size of one attachment of this kind, decoded, in bytes.
        package var limitBytes: Int {
            switch self {
            case .image: Image.limitBytes
            case .file: 50 * 1_048_576
            case .audio: 25 * 1_048_576
            }
        }

        fileprivate var plural: StaticString {
            switch self {
            case .image: "images"
            case .file: "files"
            case .audio: "audio parts"
            }
        }
    }

    /// The resolution at which the model looks at an image.
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
        /// The vendor's name of a file that it already has.
        case kept(String)
        /// The text that stands for the content, such as the transcript of audio.
        case words(String)
    }

    package var kind: Kind
    package var source: Source
    /// The caller's name of the attachment.
    package var name: String?
    /// The path of the attachment in the request, for errors.
    package let param: String
    /// Whether the attachment belongs to the whole conversation, so that no message refers to it.
    package let isOfWhole: Bool
    /// The detail of an image; nil if the vendor chooses it.
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
    /// The size of the base64 data that is sent, in bytes; 0 if the attachment is only a reference.
    var sentBytes: Int { if case .data(let text) = source { text.base64.bytes.count } else { 0 } }

    /// The number of bytes in which the header of an image is searched for.
    private static let headerBytes = 65_536

    /// The tokens of an image, estimated from its dimensions if they can be read; 0 for other attachments.
    var tokens: Int {
        guard kind == .image else { return 0 }
        if detail == .low { return ImageSize.lowDetailTokens }
        guard case .data(let text) = source, let bytes = text.beginning(ofBytes: Self.headerBytes) else {
            return ImageSize.unknownTokens
        }
        return bytes.withUnsafeBytes { bytes in
            MediaType(content: bytes).flatMap { ImageSize(of: $0, bytes) }?.tokens ?? ImageSize.unknownTokens
        }
    }
}

extension [Attachment] {
    /// Adds an attachment. Throws if the request already has the maximum number of attachments of this kind.
    package mutating func add(_ new: Attachment) throws(APIError) {
        guard count(where: { $0.kind == new.kind }) < new.kind.most else {
            let param = new.isOfWhole ? new.param : "messages"
            throw .value(
                param,
                "at most \(new.kind.most) \(new.kind.plural) per request are supported",
                code: "too_many_parts"
            )
        }
        append(new)
    }
}

extension [Attachment] {
    /// Marks addresses that the vendor reads itself. Addresses in Google's cloud are allowed only with the caller's own
    /// key: with a key of the relay they would open the operator's files. Throws for other cloud addresses.
    package mutating func leave(to vendor: any ChatVendor, isCallersKey: Bool) throws(APIError) {
        for position in indices {
            guard case .address(let address) = self[position].source else { continue }
            let isInCloud = address.hasPrefix(Attachment.cloudScheme)
            if vendor.reads(address), isCallersKey || !isInCloud {
                self[position].source = .kept(address)
            } else if isInCloud {
                throw .image(self[position].param, "must be a data:, https: or http: URL", code: "invalid_image_url")
            }
        }
    }
}

/// The errors for attachments that a vendor does not support.
extension Attachment {
    /// The URL scheme of files in Google's cloud.
    package static let cloudScheme = "gs://"

    /// The error for a file that the model's provider does not have.
    package var refusalAsAbsent: APIError {
        .value(param, "the model's provider does not have this file", code: "unsupported_value")
    }

    package var refusalAsAudio: APIError {
        .unsupported(param, "The provider of this model does not support audio input.")
    }
}
