import Engine

/// A file's label for a vendor: a content type, and a name whose extension fits it, since vendors refuse others.
package struct FileLabel: Sendable, Equatable {
    package let name: String
    package let contentType: String

    private static let nameLimitBytes = 100

    package init(name: String, contentType: String) {
        self.name = name
        self.contentType = contentType
    }

    package init(_ name: String, _ type: MediaType) {
        self.init(name: type.fileName(name), contentType: type.rawValue)
    }

    /// As the sender has it, without a path.
    package init(given name: String, claimed: String?) {
        let type = claimed.flatMap { $0.isEmpty ? nil : $0 } ?? "application/octet-stream"
        self.init(name: Self.plain(name), contentType: type)
    }

    /// By the content. Texts of all kinds but a few are plain text to a vendor; what the content does not say, the name
    /// does, and who sent it.
    ///
    /// - Parameters:
    ///   - claimed: the content type that the sender gave.
    ///   - beginning: of the content, all or at least `MediaType.neededBytes`.
    package init(_ name: String, claimed: String?, beginning: UnsafeRawBufferPointer) {
        let name = Self.plain(name)
        let type = MediaType(content: beginning)
        let given = Self.fileExtension(of: name)
        let isText = claimed?.hasPrefix("text/") ?? false
        switch type {
        case nil where !isText, .zip where given != nil && given != "zip":
            // Of the documents that are such archives only the name says which.
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

    /// In lower case; nil: it has none.
    private static func fileExtension(of name: String) -> String? {
        let parts = name.utf8.split(separator: UInt8(ascii: "."))
        return parts.count > 1 ? parts.last.map { String(Substring($0)).lowercased() } : nil
    }

    /// The name becomes part of an address at the vendor's.
    private static func plain(_ name: String) -> String {
        var plain = ""
        var dots = 0
        for scalar in name.unicodeScalars {
            // A dot that nothing follows begins no extension, one that nothing precedes is left out.
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
