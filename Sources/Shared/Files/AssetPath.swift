import Engine

/// Paths on a vendor's asset host, as bytes.
package enum AssetPath {
    /// Escapes within escapes are looked through so often.
    private static let rounds = 4

    /// Some step of the path leads upward, however it is written: with backslashes, in escapes, in escapes of escapes.
    package static func climbs(_ path: String) -> Bool {
        var bytes = Array(path.utf8)
        for _ in 0..<rounds {
            let steps = bytes.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            if steps.contains(where: { $0.elementsEqual([46, 46]) }) { return true }
            guard let plain = decoded(bytes) else { return false }
            bytes = plain
        }
        return true
    }

    /// It means a file on the asset host and nothing else: it is neither an address nor the beginning of one.
    static func isOnHost(_ path: String) -> Bool {
        guard !path.isEmpty, !climbs(path) else { return false }
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

    /// `https:`, `data:` (RFC 3986, 3.1).
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

    /// Without one layer of escapes; nil: there was none.
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
    /// The vendor's name for the file can mean only a file that it keeps. Anybody who has the key that seals an id can
    /// make one up, so nothing that was opened is used before this was asked.
    var namesAnAsset: Bool {
        AssetPath.isOnHost(path)
            && vendorID.utf8.allSatisfy { byte in
                byte > 32 && byte != 127 && byte != UInt8(ascii: "/") && byte != UInt8(ascii: ":")
                    && byte != UInt8(ascii: "\\")
            }
    }
}
