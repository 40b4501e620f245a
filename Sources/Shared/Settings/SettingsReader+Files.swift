import Engine

/// The files that settings name.
extension SettingsReader {
    /// Returns whether this machine knows the time zone. `UTC` is always known.
    func isZone(_ name: String) -> Bool {
        name == "UTC" || (try? readFile("/usr/share/zoneinfo/" + name))?.starts(with: "TZif".utf8) ?? false
    }

    /// Returns the text of a file. Removes a byte order mark, and one line end at the end of the text; of a list also the
    /// lines that begin with `#`.
    func contents(of path: String, as row: SettingRow) throws(FileProblem) -> String {
        guard var text = String(validating: try readFile(path).withoutByteOrderMark, as: UTF8.self) else {
            throw FileProblem(text: "not UTF-8 text; save the file as UTF-8", isAbsence: false)
        }
        if row.type == .list {
            let lines = text.split(whereSeparator: \.isNewline).map(\.trimmed)
            return lines.filter { !$0.isEmpty && !$0.hasPrefix("#") }.joined(separator: "\n")
        }
        if let last = text.last, last == "\n" || last == "\r\n" { text.removeLast() }
        return text
    }

    /// Returns the reason why a file has no usable certificates; nil if it has.
    func certificateProblem(_ path: String) throws(FileProblem) -> String? {
        let bytes = try readFile(path)
        if Certificates.areReadable(inPEM: bytes) { return nil }
        let hasCertificate = bytes.split(separator: 10).contains { line in
            line.starts(with: "-----BEGIN ".utf8) && String(decoding: line, as: UTF8.self).contains("CERTIFICATE-----")
        }
        return hasCertificate
            ? "has a certificate that cannot be read; copy the file again"
            : "contains no certificate; set the path of a PEM file, which contains -----BEGIN CERTIFICATE-----"
    }
}

extension [UInt8] {
    /// The bytes without UTF-8's byte order mark, which some editors write at the beginning of a file.
    package var withoutByteOrderMark: ArraySlice<UInt8> { starts(with: [0xEF, 0xBB, 0xBF]) ? self[3...] : self[...] }
}

extension SettingsSource.Entry {
    /// Returns whether a further line of the value has the form `NAME=value` with such a name.
    func hasLine(where isSetting: (String) -> Bool) -> Bool {
        guard value.utf8.contains(where: { $0 == 10 || $0 == 13 }) else { return false }
        return value.split(whereSeparator: \.isNewline).dropFirst().contains { line in
            let name = line.prefix { $0 != "=" }.split { $0 == " " || $0 == "\t" || $0 == "#" }.last
            return line.contains("=") && name.map { isSetting(String($0)) } ?? false
        }
    }
}
