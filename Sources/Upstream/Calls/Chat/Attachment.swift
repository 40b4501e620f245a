import Engine
package import Shared

/// A part of a chat request that is not text: an image, a file or audio.
package struct Attachment: Sendable {
    package enum Kind: Sendable {
        case image
        case file
        case audio

        /// The maximum number of attachments of this kind in one request.
        package var most: Int {
            switch self {
            // `MAX_IMAGES` is at most this.
            case .image: 1_000
            case .file: 20
            case .audio: 5
            }
        }

        /// The maximum size of one attachment of this kind after base64 decoding, in bytes.
        package var limitBytes: Int {
            switch self {
            case .image: Image.limitBytes
            case .file: 50 * 1_048_576
            case .audio: 25 * 1_048_576
            }
        }

        var plural: StaticString {
            switch self {
            case .image: "images"
            case .file: "files"
            case .audio: "audio parts"
            }
        }
    }

    /// The resolution at which a model looks at an image.
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
        /// The vendor's name or URL of a file that the vendor can read itself.
        case kept(String)
        /// A text that replaces the attachment, such as the transcript of audio.
        case words(String)
    }

    package var kind: Kind
    package var source: Source
    /// The name that the caller gave to the attachment; nil if the caller gave no name.
    package var name: String?
    /// The attachment's field in the request, such as `messages[0].content[1].file.file_id`, for error messages.
    package let param: String
    /// Whether the attachment belongs to the whole conversation and not to one message.
    package let isOfWhole: Bool
    /// The resolution at which the model looks at an image; nil if the vendor chooses it.
    package var detail: Detail?

    package init(_ kind: Kind, _ source: Source, name: String? = nil, param: String, isOfWhole: Bool = false) {
        self.kind = kind
        self.source = source
        self.name = name
        self.param = param
        self.isOfWhole = isOfWhole
    }

    /// The largest number of images in one request that the relay downloads for vendors, or that 1min.ai gets.
    static let mostLoadedImages = 20

    /// The size of the attachment's base64 data in bytes; 0 if the attachment contains no data.
    var sentBytes: Int { if case .data(let text) = source { text.base64.bytes.count } else { 0 } }

    /// The numbers of bytes at the start of an image in which its dimensions are searched, one after the other. Only
    /// JPEG images can have their dimensions behind other data.
    private static let headerBytes = [1_024, 65_536]

    /// The estimated tokens of an image; 0 for other attachments.
    var tokens: Int {
        guard kind == .image else { return 0 }
        if detail == .low { return ImageSize.lowDetailTokens }
        guard case .data(let text) = source else { return ImageSize.unknownTokens }
        for count in Self.headerBytes {
            let size = text.beginning(ofBytes: count)?.withUnsafeBytes { bytes in
                MediaType(content: bytes).flatMap { ImageSize(of: $0, bytes) }
            }
            if let size { return size.tokens }
        }
        return ImageSize.unknownTokens
    }
}

extension [Attachment] {
    /// Adds an attachment. Throws if the request already has the maximum number of attachments of this kind.
    package mutating func add(_ new: Attachment) throws(APIError) {
        guard count(where: { $0.kind == new.kind }) < new.kind.most else {
            throw .tooMany(new.kind, most: new.kind.most, new.isOfWhole ? new.param : "messages")
        }
        append(new)
    }

    /// Throws if there are more images than `MAX_IMAGES` allows.
    package func checkImages(most: Int) throws(APIError) {
        guard count > most, count(where: { $0.kind == .image }) > most else { return }
        throw .tooMany(.image, most: most, "messages")
    }

    /// Replaces all images but the newest ones by a line of text. A vendor that gets files by upload would otherwise
    /// need many uploads for a long conversation.
    mutating func leaveOutOlderImages() {
        guard count > Attachment.mostLoadedImages else { return }
        for index in indices.filter({ self[$0].kind == .image }).dropLast(Attachment.mostLoadedImages) {
            self[index].source = .words("[An earlier image is not shown.]")
        }
    }
}

extension APIError {
    static func ofAbsentFile(_ param: String) -> APIError {
        .unsupportedValue(param, "the model's provider does not have this file")
    }

    /// The error for a file whose key at the provider cannot use another file of the request.
    static func ofOtherKey(_ param: String) -> APIError {
        .unsupportedValue(param, "the files of this request were uploaded with different keys; upload them again")
    }

    static func tooMany(_ kind: Attachment.Kind, most: Int, _ param: String) -> APIError {
        .value(param, "at most \(most) \(kind.plural) per request are supported", code: "too_many_parts")
    }
}

extension [Attachment] {
    /// Leaves it to the vendor to read the URLs that it can read itself. The relay does not download these attachments.
    ///
    /// Throws for a URL in Google's cloud (`gs://`), unless the caller uses a passthrough key and the vendor reads the
    /// URL.
    package mutating func leave(to vendor: any ChatVendor, isCallersKey: Bool) throws(APIError) {
        for index in indices {
            guard case .address(let address) = self[index].source else { continue }
            let isInCloud = address.begins(with: Attachment.cloudScheme)
            // With a key of the relay, a caller could read the operator's files.
            if vendor.reads(address), isCallersKey || !isInCloud {
                self[index].source = .kept(address)
            } else if isInCloud {
                throw .image(self[index].param, "must be a data:, https: or http: URL", code: "invalid_image_url")
            }
        }
    }
}

/// The errors for attachments that a vendor does not support.
extension Attachment {
    /// The URL scheme of files in Google's cloud.
    package static let cloudScheme = "gs://"

    /// The error for a file that the model's provider does not have.
    var refusalAsAbsent: APIError { .ofAbsentFile(param) }

    /// The error for a URL, because the relay downloads nothing.
    var refusalAsNotFetched: APIError {
        kind == .file
            ? .unsupportedValue(param, "this relay does not download documents; send the data")
            : .image(
                param,
                "must be a data: URL, because this relay does not download images",
                code: "invalid_image_url"
            )
    }

    var refusalAsAudio: APIError {
        .unsupported(param, "The provider of this model does not support audio input.")
    }
}
