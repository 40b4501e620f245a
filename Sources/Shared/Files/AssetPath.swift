import Engine

/// Checks whether paths on a vendor's host for files are safe. The checks work on bytes.
package enum AssetPath {
    /// The number of times that a path's percent-encoding is decoded for a check. A path that is encoded so often or
    /// more is unsafe.
    private static let rounds = 4

    /// Returns whether a path contains a segment `..`, also in percent-encoded form. Also true if the path is
    /// percent-encoded `rounds` times or more.
    package static func leadsUpward(_ path: String) -> Bool {
        var bytes = Array(path.utf8)
        for _ in 0..<rounds {
            let steps = bytes.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            if steps.contains(where: { $0.elementsEqual([46, 46]) }) { return true }
            let plain = bytes.percentDecoded
            if plain.count == bytes.count { return false }
            bytes = plain
        }
        return true
    }

    /// Returns whether the path can only refer to a file on the vendor's host for files, not on another host.
    static func isOnHost(_ path: String) -> Bool {
        guard !path.isEmpty, !leadsUpward(path) else { return false }
        var bytes = Array(path.utf8)
        for _ in 0..<rounds {
            guard !bytes.contains(where: { $0 < 32 || $0 == 127 || $0 == UInt8(ascii: "\\") }) else { return false }
            guard !bytes.starts(with: Array("//".utf8)) else { return false }
            guard !hasScheme(bytes) else { return false }
            let plain = bytes.percentDecoded
            if plain.count == bytes.count { return true }
            bytes = plain
        }
        return false
    }

    /// Returns whether the bytes begin with a URL scheme such as `https:` or `data:` (RFC 3986, 3.1).
    private static func hasScheme(_ bytes: [UInt8]) -> Bool {
        let name = bytes.prefix { $0.isLetterOrDigit || "+-.".utf8.contains($0) }
        guard let first = name.first, (65...90).contains(first & 0xdf) else { return false }
        return name.count < bytes.count && bytes[name.count] == UInt8(ascii: ":")
    }

}

extension StoredFile {
    /// Whether the path and the vendor's file id are well-formed and cannot lead outside the vendor's host. Check this
    /// before using a decoded file id.
    var hasValidVendorNames: Bool {
        AssetPath.isOnHost(path)
            && vendorID.utf8.allSatisfy { byte in
                byte > 32 && byte != 127 && byte != UInt8(ascii: "/") && byte != UInt8(ascii: ":")
                    && byte != UInt8(ascii: "\\")
            }
    }
}
