import Engine

/// Checks of paths on a vendor's asset host. They work on bytes.
package enum AssetPath {
    /// The largest number of nested percent-encodings that are decoded.
    private static let rounds = 4

    /// Returns whether some step of the path leads upward (`..`), also if it is written with backslashes or with nested
    /// percent-encodings.
    package static func leadsUpward(_ path: String) -> Bool {
        var bytes = Array(path.utf8)
        for _ in 0..<rounds {
            let steps = bytes.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            if steps.contains(where: { $0.elementsEqual([46, 46]) }) { return true }
            guard let plain = decoded(bytes) else { return false }
            bytes = plain
        }
        return true
    }

    /// Returns whether the path refers to a file on the asset host: it is not a URL and cannot become one.
    static func isOnHost(_ path: String) -> Bool {
        guard !path.isEmpty, !leadsUpward(path) else { return false }
        var bytes = Array(path.utf8)
        for _ in 0..<rounds {
            guard !bytes.contains(where: { $0 < 32 || $0 == 127 || $0 == UInt8(ascii: "\\") }) else { return false }
            guard !bytes.starts(with: Array("//".utf8)) else { return false }
            guard !hasScheme(bytes) else { return false }
            guard let plain = decoded(bytes) else { return true }
            bytes = plain
        }
        return false
    }

    /// Returns whether the bytes begin with a URL scheme such as `https:` or `data:` (RFC 3986, 3.1).
    private static func hasScheme(_ bytes: [UInt8]) -> Bool {
        let name = bytes.prefix { byte in
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard let first = name.first, (65...90).contains(first & 0xdf) else { return false }
        return name.count < bytes.count && bytes[name.count] == UInt8(ascii: ":")
    }

    /// Decodes one layer of percent-encoding; nil if there is none.
    private static func decoded(_ bytes: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = bytes[index + 1].hexValue,
                let low = bytes[index + 2].hexValue
            {
                out.append(high * 16 + low)
                index += 3
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return out.count == bytes.count ? nil : out
    }
}

extension StoredFile {
    /// Whether the vendor's path and id can only refer to a file at the vendor. Anybody who has the key of an owner can
    /// forge file ids, so check this before a decoded id is used.
    var hasValidVendorNames: Bool {
        AssetPath.isOnHost(path)
            && vendorID.utf8.allSatisfy { byte in
                byte > 32 && byte != 127 && byte != UInt8(ascii: "/") && byte != UInt8(ascii: ":")
                    && byte != UInt8(ascii: "\\")
            }
    }
}
