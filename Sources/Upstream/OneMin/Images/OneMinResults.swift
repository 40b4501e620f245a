import Engine
import Shared

/// The generated files of a finished call, read from the JSON record that 1min.ai returns.
struct OneMinResults {
    let files: [GeneratedImage]
    /// The credits that the vendor charged; nil if it does not report them.
    let credits: Int?

    /// Creates the results from a JSON record. Throws if the call was not successful or has no result.
    /// - Parameter bytes: the complete JSON, which must be in a `ByteBuffer`, as the JSON parser requires.
    init(_ bytes: UnsafeRawBufferPointer, assetURL: String, _ parser: JSONParser) throws(UpstreamError) {
        let record = try OneMinRecord.checked(bytes, parser)
        let result = record["aiRecordDetail"]?["resultObject"]
        let named = result?.elements?.compactMap { $0.string } ?? [result?.string].compactMap { $0 }
        let results = named.filter { !$0.isEmpty }
        credits = OneMinRecord.credits(record["metadata"])
        guard !results.isEmpty else { throw OneMinRecord.withoutResult(record) }
        guard results.allSatisfy({ $0.utf8.count <= Self.pathLimitBytes }) else {
            throw UpstreamError(.failed, cause: "the vendor's path of a result is too long").reporting(credits: credits)
        }
        guard !results.contains(where: { AssetPath.leadsUpward(Self.path($0)) }) else {
            let error = UpstreamError(.failed, cause: "the vendor's result is outside the path of results")
            throw error.reporting(credits: credits)
        }
        let signed = record["temporaryUrl"]?.text.flatMap { $0.count <= Self.pathLimitBytes ? $0.text : nil }
            .flatMap { Self.isAddress($0) ? $0 : nil }
        files = results.map { Self.file($0, signed, isOnly: results.count == 1, assetURL: assetURL) }
    }

    /// Returns a stored file with its URL, which is always on the vendor's asset host.
    static func file(at path: String, _ assetURL: String) -> GeneratedImage {
        let address = assetURL + "/" + encoded(path)
        return GeneratedImage(address: address, sources: [address])
    }

    /// Returns a generated file with the URLs from which it can be downloaded.
    /// - Parameters:
    ///   - result: a URL, or a path on the vendor's asset host.
    ///   - signed: a signed URL from the record; nil if the record has none.
    ///   - isOnly: whether the call has only one result.
    private static func file(_ result: String, _ signed: String?, isOnly: Bool, assetURL: String) -> GeneratedImage {
        let isAbsolute = isAddress(result)
        let address = isAbsolute ? result : assetURL + "/" + encoded(result)
        guard let signed, isOnly && !isAbsolute || name(signed).hasSameBytes(as: name(address)) else {
            return GeneratedImage(address: address, sources: [address])
        }
        if isAbsolute { return GeneratedImage(address: address, sources: [address, signed]) }
        return GeneratedImage(address: signed, sources: isOnly ? [signed, address] : [address, signed])
    }

    private static func isAddress(_ text: String) -> Bool {
        (text.utf8.starts(with: "https://".utf8) || text.utf8.starts(with: "http://".utf8))
            && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\"") }
    }

    private static let pathLimitBytes = 8_192

    /// Returns a URL without its query and fragment.
    private static func path(_ address: String) -> String {
        String(decoding: address.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }, as: UTF8.self)
    }

    /// Returns the last component of a URL's path, which is the file's name.
    private static func name(_ address: String) -> Substring {
        let path = path(address)[...]
        return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path
    }

    /// Returns a path escaped for a URL, without leading slashes. Escapes that the path already contains stay as they
    /// are.
    private static func encoded(_ path: String) -> String {
        path.utf8.drop { $0 == UInt8(ascii: "/") }.percentEncoded(except: "/.-_~%:@+,=")
    }
}
