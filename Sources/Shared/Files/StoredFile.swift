import Engine

/// A file that a vendor stores for a caller. The file's id contains these properties.
package struct StoredFile: Sendable, Equatable {
    package var provider: String
    /// The first 8 bytes of the digest of the credential that uploaded the file.
    package var account: UInt64
    package var vendorID: String
    /// The path of the file at the vendor.
    package var path: String
    package var name: String
    package var bytes: Int
    package var purpose: FilePurpose
    /// The creation time, in seconds since 1970.
    package var createdAt: Int
    /// The microseconds of the creation time, after its second. By them, files of one second have an order.
    package var createdMicroseconds = 0
    /// The expiry time, in seconds since 1970; nil if the file does not expire.
    package var expiresAt: Int?

    package init(
        provider: String,
        account: UInt64,
        vendorID: String,
        path: String,
        name: String,
        bytes: Int,
        purpose: FilePurpose,
        createdAt: Int,
        createdMicroseconds: Int = 0,
        expiresAt: Int? = nil
    ) {
        self.provider = provider
        self.account = account
        self.vendorID = vendorID
        self.path = path
        self.name = name
        self.bytes = bytes
        self.purpose = purpose
        self.createdAt = createdAt
        self.createdMicroseconds = createdMicroseconds
        self.expiresAt = expiresAt
    }
}

/// The purposes of files in OpenAI's API. The raw values must not change: file ids contain them.
package enum FilePurpose: UInt8, CaseIterable, Sendable {
    case assistants = 1
    case batch = 2
    case fineTune = 3
    case vision = 4
    case userData = 5
    case evals = 6

    package var name: StaticString {
        switch self {
        case .assistants: "assistants"
        case .batch: "batch"
        case .fineTune: "fine-tune"
        case .vision: "vision"
        case .userData: "user_data"
        case .evals: "evals"
        }
    }

    package init?(name: String) {
        guard let purpose = Self.allCases.first(where: { "\($0.name)" == name }) else { return nil }
        self = purpose
    }
}

extension StoredFile {
    private static let format: UInt8 = 1
    /// The format of a file whose long id at the vendor stands at the end of its path alone.
    private static let longIDFormat: UInt8 = 2
    /// The longest file name that a caller may send, in bytes.
    package static let givenNameLimitBytes = 1_024
    /// The longest file name that a file id contains, in bytes. Longer names are cut.
    package static let nameLimitBytes = 200
    private static let pathLimitBytes = 300
    /// The longest path that ends with an id over `wordLimitBytes`, in bytes.
    private static let longPathLimitBytes = 520
    private static let wordLimitBytes = 64
    /// The bits of the encoded creation time that have its second. The bits above them have the microseconds, which ids of
    /// older versions lack.
    private static let secondBits = 40
    private static let maxSecond = 1 << secondBits - 1

    /// Encodes the properties of the file, which its id contains; nil if the path, the vendor's id or the provider's
    /// name is too long.
    func encoded() -> [UInt8]? {
        // A long id, such as another relay's, stands once, as the end of the path.
        let isLong = vendorID.utf8.count > Self.wordLimitBytes
        guard path.utf8.count <= (isLong ? Self.longPathLimitBytes : Self.pathLimitBytes),
            !isLong || Self.lastComponent(of: path) == vendorID,
            provider.utf8.count <= Self.wordLimitBytes, bytes >= 0, (0...Self.maxSecond).contains(createdAt),
            (0..<1_000_000).contains(createdMicroseconds)
        else { return nil }
        let created = UInt64(createdMicroseconds) << Self.secondBits | UInt64(createdAt)
        var coded: [UInt8] = [isLong ? Self.longIDFormat : Self.format, purpose.rawValue]
        for number in [UInt64(bytes), created, UInt64(max(0, expiresAt ?? 0)), account] {
            withUnsafeBytes(of: number.littleEndian) { coded += $0 }
        }
        let nameLimitBytes = isLong ? Self.wordLimitBytes : Self.nameLimitBytes
        for text in [provider, isLong ? "" : vendorID, path, name.cut(toBytes: nameLimitBytes)] {
            coded += [UInt8(text.utf8.count & 255), UInt8(text.utf8.count >> 8)]
            coded += text.utf8
        }
        return coded
    }

    private static func lastComponent(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
    }

    init?(_ coded: [UInt8]) {
        var rest = coded[...]
        let format = rest.popFirst()
        guard format == Self.format || format == Self.longIDFormat,
            let purpose = rest.popFirst().flatMap(FilePurpose.init)
        else {
            return nil
        }
        guard let bytes = rest.consumeNumber(), let created = rest.consumeNumber(),
            let expiresAt = rest.consumeNumber(),
            let account = rest.consumeNumber(), let provider = rest.consumeText(), let vendorID = rest.consumeText(),
            let path = rest.consumeText(), let name = rest.consumeText(), rest.isEmpty
        else { return nil }
        self.init(
            provider: provider,
            account: account,
            vendorID: format == Self.longIDFormat ? Self.lastComponent(of: path) : vendorID,
            path: path,
            name: name,
            bytes: Int(clamping: bytes),
            purpose: purpose,
            createdAt: Int(created & UInt64(Self.maxSecond)),
            createdMicroseconds: Int(created >> Self.secondBits),
            expiresAt: expiresAt == 0 ? nil : Int(clamping: expiresAt)
        )
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func consumeNumber() -> UInt64? {
        guard count >= 8 else { return nil }
        defer { self = dropFirst(8) }
        return prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    fileprivate mutating func consumeText() -> String? { consumeBytes().map { String(decoding: $0, as: UTF8.self) } }

    /// Removes a two-byte length and the bytes that it counts from the front. Returns these bytes; nil if the slice is
    /// too short.
    mutating func consumeBytes() -> ArraySlice<UInt8>? {
        guard let low = popFirst(), let high = popFirst(), Int(high) << 8 | Int(low) <= count else { return nil }
        let length = Int(high) << 8 | Int(low)
        defer { self = dropFirst(length) }
        return prefix(length)
    }
}
