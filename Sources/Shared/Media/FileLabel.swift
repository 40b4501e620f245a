import Engine

/// The name and the content type under which a file is uploaded to a vendor.
package struct FileLabel: Sendable, Equatable {
    package let name: String
    package let contentType: String

    private static let nameLimitBytes = 100

    package init(name: String, contentType: String) {
        self.name = name
        self.contentType = contentType
    }

    package init(_ name: String, _ type: MediaType) { self.init(name: type.fileName(name), contentType: type.rawValue) }

    /// Creates the label from the client's file name and content type. Replaces unsafe characters.
    package init(given name: String, claimed: String?) {
        let type = claimed.flatMap { $0.isEmpty ? nil : $0 } ?? "application/octet-stream"
        self.init(name: Self.plain(name), contentType: type)
    }

    /// Creates the label of a file. Detects the content type if possible, and adapts the name's extension to it.
    /// - Parameter beginning: at least the first `MediaType.neededBytes` bytes, or the whole content.
    package init(_ name: String, claimed: String?, beginning: UnsafeRawBufferPointer) {
        let name = Self.plain(name)
        let type = MediaType(content: beginning)
        let given = Self.fileExtension(of: name)
        let isText = claimed?.hasPrefix("text/") ?? false
        switch type {
        case nil where !isText, .zip where given != nil && given != "zip":
            // Several document formats are zip archives; only the file name distinguishes them.
            let type = claimed.flatMap { $0.isEmpty ? nil : $0 } ?? "application/octet-stream"
            self.init(name: given == nil ? name + ".bin" : name, contentType: type)
        case nil, .text, .json, .xml, .svg:
            if given == "csv" {
                self.init(name: name, contentType: "text/csv")
            } else if let type, given == nil || given == type.fileExtension {
                self.init(name, type)
            } else {
                self.init(name: given == "txt" ? name : name + ".txt", contentType: MediaType.text.rawValue)
            }
        case let type?: self.init(name, type)
        }
    }

    /// Returns the extension of a file name in lower case; nil if the name has no extension.
    private static func fileExtension(of name: String) -> String? {
        let parts = name.utf8.split(separator: UInt8(ascii: "."))
        return parts.count > 1 ? parts.last.map { String(Substring($0)).lowercased() } : nil
    }

    /// Returns the file name with unsafe characters replaced.
    private static func plain(_ name: String) -> String {
        var plain = ""
        var dots = 0
        for scalar in name.unicodeScalars {
            // Dots at the beginning or the end of the name are left out, and repeated dots become one.
            if scalar == "." {
                dots += 1
                continue
            }
            if dots > 0, !plain.isEmpty { plain.unicodeScalars.append(".") }
            dots = 0
            let isKept = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            plain.unicodeScalars.append(isKept || " _-()".unicodeScalars.contains(scalar) ? scalar : "_")
        }
        StepCount.add(2 * name.utf8.count)
        return plain.isEmpty ? "file" : plain.cut(toBytes: nameLimitBytes)
    }
}
