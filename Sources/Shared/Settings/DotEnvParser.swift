import Engine

/// A parser of `.env` files, which consist of `NAME=value` lines in UTF-8, optionally after `export`.
///
/// `#` begins a comment on its own line or after a space. Values may be `'raw'`, or `"with \n \" \\ escapes"` over
/// several lines. The parser does not expand variables.
struct DotEnvParser {
    struct Mistake {
        let line: Int
        let name: String?
        let text: String
    }

    private(set) var entries: [SettingsSource.Entry] = []
    private(set) var mistakes: [Mistake] = []
    /// Whether it is unknown what some lines set: they have no readable name, or an open quote takes them in.
    private(set) var lacksLines = false
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var linesByName: [String: Int] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        index = bytes.withoutByteOrderMark.startIndex
    }

    mutating func parse() {
        while index < bytes.count { parseLine() }
    }

    private mutating func parseLine() {
        defer { endLine() }
        skipBlanks()
        guard !isAtLineEnd, current != UInt8(ascii: "#") else { return }
        skipExport()
        let start = index
        let read = consumeName()
        skipBlanks()
        // The line is not quoted, since it may be the second line of a secret.
        guard let name = read, current == UInt8(ascii: "="), !isInList(name) else {
            return reportLine(from: start, read)
        }
        index += 1
        let isAfterBlank = isBlank(current)
        skipBlanks()
        let firstLine = line
        guard let value = consumeValue(named: name, isAfterBlank: isAfterBlank) else { return }
        guard value.allSatisfy({ $0 != 0 }), let text = String(validating: value, as: UTF8.self) else {
            return report(name, "the value is not UTF-8 text; save the file as UTF-8")
        }
        if let first = linesByName.updateValue(firstLine, forKey: name) {
            return mistakes.append(Mistake(line: firstLine, name: name, text: "already set in line \(first)"))
        }
        entries.append(SettingsSource.Entry(name, text, line: firstLine))
    }

    private mutating func consumeValue(named name: String, isAfterBlank: Bool) -> [UInt8]? {
        switch current {
        case UInt8(ascii: "'"): consumeRaw(named: name)
        case UInt8(ascii: "\""): consumeEscaped(named: name)
        default: consumeBare(named: name, isAfterBlank: isAfterBlank)
        }
    }

    /// Reads an unquoted value up to the end of the line or a comment.
    /// - Parameter isAfterBlank: whether a space or tab precedes the value, so that a `#` there begins a comment.
    private mutating func consumeBare(named name: String, isAfterBlank: Bool) -> [UInt8]? {
        var value: [UInt8] = []
        var isBlankBefore = isAfterBlank
        while let byte = current, !isAtLineEnd, !(byte == UInt8(ascii: "#") && isBlankBefore) {
            value.append(byte)
            isBlankBefore = isBlank(byte)
            index += 1
        }
        while isBlank(value.last) { value.removeLast() }
        // A secret may end in a backslash, but not a list.
        guard value.last == UInt8(ascii: "\\"), value.dropLast().last.map(Self.separators.contains) ?? true else {
            return value
        }
        report(name, "\\ at the end of a line does not continue it; write the whole value on one line")
        skipContinuation()
        return nil
    }

    private static let separators = Array(",; \t".utf8)

    /// Skips the lines with which a value goes on in a shell.
    private mutating func skipContinuation() {
        var text: ArraySlice<UInt8>
        repeat {
            endLine()
            let start = index
            while !isAtLineEnd { index += 1 }
            text = bytes[start..<index]
        } while text.last { !isBlank($0) } == UInt8(ascii: "\\")
    }

    private mutating func consumeRaw(named name: String) -> [UInt8]? {
        index += 1
        var value: [UInt8] = []
        while let byte = current, !isAtLineEnd {
            index += 1
            if byte == UInt8(ascii: "'") { return endsCleanly(name) ? value : nil }
            value.append(byte)
        }
        report(name, "the closing ' is missing")
        return nil
    }

    private mutating func consumeEscaped(named name: String) -> [UInt8]? {
        let start = line
        index += 1
        var value: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return endsCleanly(name) ? value : nil
            case UInt8(ascii: "\\"):
                index += 1
                guard let escaped = consumeEscape(named: name) else { return nil }
                value.append(escaped)
            case UInt8(ascii: "\r") where isAtLineEnd: index += 1
            default:
                if byte == UInt8(ascii: "\n") { line += 1 }
                value.append(byte)
                index += 1
            }
        }
        if line > start { lacksLines = true }
        mistakes.append(Mistake(line: start, name: name, text: "the closing \" is missing"))
        return nil
    }

    private mutating func consumeEscape(named name: String) -> UInt8? {
        guard let byte = current else { return UInt8(ascii: "\\") }
        switch byte {
        case UInt8(ascii: "n"):
            index += 1
            return UInt8(ascii: "\n")
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            index += 1
            return byte
        default:
            report(name, "\\ in double quotes is allowed only before n, \" or \\; write \\\\ for a backslash")
            skipRestOfQuoted()
            return nil
        }
    }

    /// Skips the rest of a quoted value that contains a mistake.
    private mutating func skipRestOfQuoted() {
        while let byte = current, byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\n") { line += 1 }
            index += byte == UInt8(ascii: "\\") && index + 1 < bytes.count && bytes[index + 1] != 10 ? 2 : 1
        }
    }

    /// Returns whether only spaces and a comment follow the closing quote. Otherwise records a mistake.
    private mutating func endsCleanly(_ name: String) -> Bool {
        let isAfterBlank = isBlank(current)
        skipBlanks()
        if isAtLineEnd || (current == UInt8(ascii: "#") && isAfterBlank) { return true }
        report(name, "there is text after the closing quote")
        return false
    }

    /// Whether the value before this line ends with a comma.
    private var followsComma: Bool { entries.last.map { $0.line == line - 1 && $0.value.hasSuffix(",") } ?? false }

    /// Returns whether a line with this name is rather the `alias=upstream` of a list on the line before.
    private func isInList(_ name: String) -> Bool { followsComma && !SettingFamily.isInstanceName(name[...]) }

    /// Reports a line that is not `NAME=value`.
    /// - Parameter read: the beginning of the line that can be a name; nil if none can.
    private mutating func reportLine(from start: Int, _ read: String?) {
        let rest = bytes[start...].prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\n") }
        let text = String(decoding: rest, as: UTF8.self)
        let isOfFamily = Self.families.contains(where: rest.starts)
        let isSetting = start + rest.count < bytes.count && bytes[start + rest.count] == UInt8(ascii: "=")
        // A name that is known prevents problems that only follow from its absence.
        var name: String?
        var advice: String?
        if index > start, current == UInt8(ascii: ":") {
            if isOfFamily { name = read }
            advice = "write = in place of : behind the name"
        } else if let word = Self.shellWords.first(where: text.lowercased().hasPrefix), isSetting {
            let own = text.dropFirst(word.utf8.count).trimmed
            if SettingFamily.isInstanceName(own) { name = String(own) }
            advice = "remove \(word.trimmed) in front of the name"
        } else if text.hasPrefix("//") || text.hasPrefix(";") {
            advice = "a comment begins with #"
        } else if text.hasPrefix("[") {
            advice = "a settings file has no sections; remove this line"
        } else if followsComma, let last = entries.last {
            advice = "the value of \(last.name) ends at the end of its line; write all of it on one line"
        } else {
            advice = SettingType.adviceOnLookalikes(text)
            if advice == nil, isOfFamily, isSetting { advice = "names have only A-Z, 0-9 and _" }
        }
        if isSetting, name == nil { lacksLines = true }
        report(name, "this line is not NAME=value\(advice.map { ": \($0)" } ?? "")")
    }

    /// The beginnings of lines that set a variable in other languages, in small letters.
    private static let shellWords = ["set ", "setx ", "$env:", "env ", "- "]

    private mutating func consumeName() -> String? {
        let start = index
        while let byte = current, isNameByte(byte), index > start || !(48...57).contains(byte) { index += 1 }
        // A dash or dot in the NAME of a caller, provider, panel or group is accepted here, so that the problem can name
        // the variable. Other text with a dash may be a part of a secret.
        if let mark = current, "-.".utf8.contains(mark), Self.families.contains(where: bytes[start..<index].starts) {
            while let byte = current, isNameByte(byte) || "-.".utf8.contains(byte) { index += 1 }
        }
        return index == start ? nil : String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private static let families = ["KEY_", "PROVIDER_", "PANEL_", "GROUP_"].map { Array($0.utf8) }

    private mutating func skipExport() {
        let word = Array("export".utf8)
        guard bytes[index...].starts(with: word), index + word.count < bytes.count else { return }
        guard isBlank(bytes[index + word.count]) else { return }
        let before = index
        index += word.count
        skipBlanks()
        if current == UInt8(ascii: "=") { index = before }  // a variable named `export`
    }

    private mutating func endLine() {
        while let byte = current {
            index += 1
            if byte == UInt8(ascii: "\n") { break }
        }
        line += 1
    }

    private mutating func report(_ name: String?, _ text: String) {
        mistakes.append(Mistake(line: line, name: name, text: text))
    }

    private mutating func skipBlanks() {
        while isBlank(current) { index += 1 }
    }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private var isAtLineEnd: Bool {
        guard let current else { return true }
        if current == UInt8(ascii: "\n") { return true }
        guard current == UInt8(ascii: "\r") else { return false }
        return index + 1 == bytes.count || bytes[index + 1] == UInt8(ascii: "\n")
    }

    private func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private func isNameByte(_ byte: UInt8) -> Bool { byte.isLetterOrDigit || byte == UInt8(ascii: "_") }
}

extension SettingsSource.Entry {
    /// Advice on a value of the process environment that has a comment behind it, or quotes around it, as only a `.env`
    /// file may have them; nil for all other values.
    var adviceOnEnvFile: String? {
        guard line == nil, value.utf8.contains(where: { "#'\"".utf8.contains($0) }) else { return nil }
        var parser = DotEnvParser(Array("VALUE=\(value)".utf8))
        parser.parse()
        guard parser.mistakes.isEmpty, parser.entries.count == 1, parser.entries[0].value != value else { return nil }
        return """
            the value has a comment or quotes, which `docker run --env-file` and Compose's `environment:` keep; remove \
            them, or mount the file and set ENV_FILE to its path
            """
    }
}
