import Engine
import Glibc
import Limits

/// The parsers of texts of settings. They return nil or false for invalid texts.
extension SettingType {
    static func isDocument(_ text: String) -> Bool {
        let address = text.prefix { $0 != "?" }
        return text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }
            && WebAddress(String(address), schemes: ["http", "https"], mayHoldCredentials: true) != nil
    }

    /// Returns whether the text is a PostgreSQL URL without an unescaped `@` or `/` in its password.
    static func isDatabase(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }) else { return false }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, ["postgres", "postgresql"].contains(parts[0]) else { return false }
        let address = parts[1].prefix { $0 != "?" }
        return address.count { $0 == "@" } == address.prefix { $0 != "/" }.count { $0 == "@" }
            && address.count { $0 == "@" } <= 1
    }

    /// Parses limits by model, such as `gpt-4o*=10/minute;100/day, o3-mini=5/minute`.
    static func modelQuotas(_ text: String) throws(Quota.Mistake) -> [ModelQuotas] {
        if text.trimmed.lowercased() == "off" { return [] }
        var rows: [ModelQuotas] = []
        for item in items(of: text) ?? [] {
            func mistake(_ reason: String) -> Quota.Mistake { Quota.Mistake(item: item, reason: reason) }
            guard let end = item.lastIndex(of: "="), let pattern = ModelPattern(String(item[..<end].trimmed)) else {
                throw mistake("\"\(item)\" is not of the form model=limits")
            }
            if "\(pattern)".contains(where: { $0 == ";" || $0 == "=" }) {
                throw mistake("write a comma between two models")
            }
            guard !rows.contains(where: { $0.pattern == pattern }) else {
                throw mistake("the pattern \(pattern) is listed twice")
            }
            do throws(Quota.Mistake) {
                rows.append(
                    ModelQuotas(pattern: pattern, quotas: try Quota.list(String(item[item.index(after: end)...])))
                )
            } catch {
                throw mistake("in the pattern \(pattern): \(error.reason)")
            }
        }
        guard !rows.isEmpty else { throw Quota.Mistake(item: text, reason: "name a model, as in gpt-4o*=10/minute") }
        return rows
    }

    static func isURLList(_ text: String) -> Bool { [",http", ";http"].contains(where: text.contains) }

    /// Returns the trimmed items between commas or line ends, without empty items; nil if no item remains.
    static func items(of text: String) -> [String]? {
        let items = text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed) }.filter { !$0.isEmpty }
        return items.isEmpty ? nil : items
    }

    /// Parses header lines `Name: value`; nil if a line is invalid or sets a reserved header.
    static func headerLines(_ text: String) -> [String]? {
        let isByLines = text.contains(where: \.isNewline)
        let lines = text.split { isByLines ? $0.isNewline : $0 == ";" }.map { String($0.trimmed) }.filter {
            !$0.isEmpty
        }
        let reserved = ["host", "content-length", "transfer-encoding", "connection", "expect", "content-type", "te"]
        guard !lines.isEmpty, text.utf8.count <= 8_192 else { return nil }
        return lines.collect { line in
            guard let colon = line.firstIndex(of: ":"), case let name = line[..<colon], !name.isEmpty,
                case let value = line[line.index(after: colon)...].trimmed, !value.isEmpty,
                name.utf8.allSatisfy(isOfName), value.utf8.allSatisfy({ $0 >= 32 && $0 < 127 }),
                !reserved.contains(name.lowercased())
            else { return nil }
            return "\(name): \(value)"
        }
    }

    /// Returns whether the text looks like a time zone name, such as `Europe/Berlin`, safe in a file path.
    static func isZoneName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 64
            && parts.allSatisfy { part in
                guard let first = part.utf8.first, isOfName(first), first != UInt8(ascii: ".") else { return false }
                return part.utf8.allSatisfy { isOfName($0) || $0 == UInt8(ascii: "+") }
            }
    }

    static func isOfName(_ byte: UInt8) -> Bool { byte.isLetterOrDigit || "-_.".utf8.contains(byte) }

    static func wholeNumber(_ text: String, in range: ClosedRange<Int>) -> Int? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text), range.contains(number) else {
            return nil
        }
        return number
    }

    static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: nil
        }
    }

    static func listenAddress(_ text: String) -> String? {
        if text.lowercased() == "localhost" { return "127.0.0.1" }
        var room = in6_addr()
        let isAddress = inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1
        return isAddress ? text : nil
    }

    static func origin(_ text: String) -> String? {
        if text == "*" { return text }
        let address = WebAddress(text, schemes: ["http", "https"], mayHoldCredentials: false)
        guard let address, address.path.isEmpty, text.last != "/" else { return nil }
        return address.text.lowercased()
    }

    static func modelNames(_ text: String) -> [ModelName]? {
        guard let names = items(of: text)?.collect(ModelName.init) else { return nil }
        return Set(names.map(\.alias)).count == names.count ? names : nil
    }

    static func isToken(_ text: String) -> Bool {
        text.utf8.count <= SettingType.tokenLimit && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
    }

    /// Returns whether the text is a host name or an IP address without a port.
    static func isHost(_ text: String) -> Bool {
        text.utf8.count < 256 && text.utf8.count { $0 == UInt8(ascii: ":") } != 1
            && text.utf8.allSatisfy { isOfName($0) || $0 == UInt8(ascii: ":") }
    }

    static func portNumber(_ text: String) -> Int? {
        let range = 1...65_535
        guard text.hasPrefix("tcp://") else { return wholeNumber(text, in: range) }
        return wholeNumber(String(text[text.index(after: text.lastIndex(of: ":") ?? text.startIndex)...]), in: range)
    }

    /// Returns whether the text is a port or an IP address with a port.
    static func isPublished(_ text: String) -> Bool {
        guard text.contains(":") else { return wholeNumber(text, in: 1...65_535) != nil }
        guard let address = MemcachedAddress(text) else { return false }
        return Network(address.host) != nil && !address.host.contains("/")
    }

    /// Parses the weight of a key, above 0 and at most a million; nil if invalid.
    static func keyWeight(_ text: String) -> Double? { anyWeight(text).flatMap { $0 > 0 ? $0 : nil } }

    /// Parses a number from 0 to a million; nil if the text is no such number.
    static func anyWeight(_ text: String) -> Double? {
        let isPlain =
            text.utf8.count <= 15 && text.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
        guard isPlain, let number = Double(text), number <= 1_000_000 else { return nil }
        return number
    }

    static func wordList(_ text: String, of words: [String]) -> [String]? {
        if text.lowercased() == "off" { return [] }
        return items(of: text)?.collect { item in words.first { $0 == item.lowercased() } }
    }

    static func startRate(_ text: String) -> Double? {
        let decimals = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).dropFirst()
        guard decimals.count <= 1, (decimals.first?.count ?? 1) <= 3, let number = anyWeight(text), number > 0 else {
            return nil
        }
        return number
    }

    /// Parses a list such as `fast=2,gpt-4o=0`; nil if an item is invalid or a name occurs twice.
    /// - Parameter sign: the character between name and value.
    static func byModel<Value>(_ text: String, _ sign: Character, _ read: (String) -> Value?) -> [String: Value]? {
        var values: [String: Value] = [:]
        for item in items(of: text) ?? [] {
            // The last colon may belong to the suffix of the other model's name.
            let head =
                sign == ":" && item.hasSuffix(ModelName.online) ? item.dropLast(ModelName.online.count) : item[...]
            guard let separator = head.lastIndex(of: sign) ?? item.lastIndex(of: sign),
                let value = read(String(item[item.index(after: separator)...].trimmed))
            else { return nil }
            let name = String(item[..<separator].trimmed)
            guard ModelName.isName(name), values.updateValue(value, forKey: name) == nil else { return nil }
        }
        return values.isEmpty ? nil : values
    }
}

extension [String] {
    /// The items in their order, each only once.
    var withoutRepeats: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}

extension Array {
    /// Returns the results of `transform` for all elements; nil if `transform` returns nil for any element.
    func collect<Result>(_ transform: (Element) -> Result?) -> [Result]? {
        var results: [Result] = []
        for element in self {
            guard let result = transform(element) else { return nil }
            results.append(result)
        }
        return results
    }
}
