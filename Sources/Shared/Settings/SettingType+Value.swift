import Engine
import Glibc
import Limits

extension SettingType {
    /// The form of the texts of a type: how they are described and parsed.
    struct Form {
        /// The description of valid values for an error message, such as `a number from 0 to 2`.
        let expectation: String
        /// The unit and the allowed values of a setting of this type, for the help text; empty if the setting's own text
        /// has them.
        let unit: String
        /// Parses a text that is not empty; nil if it is invalid.
        let value: (String) -> (any Sendable)?

        init<Value: Sendable>(_ expectation: String, unit: String = "", _ value: @escaping (String) -> Value?) {
            self.expectation = expectation
            self.unit = unit
            self.value = value
        }

        /// Creates the form of texts that are their own values.
        init(_ expectation: String, unit: String = "", if isValid: @escaping (String) -> Bool) {
            self.init(expectation, unit: unit) { isValid($0) ? $0 : nil }
        }

        /// Creates the form of lists with at least one item.
        static func list<Item: Sendable>(
            _ expectation: String,
            unit: String = "comma list",
            _ item: @escaping (String) -> Item?
        ) -> Form {
            Form(expectation, unit: unit) { items(of: $0)?.collect(item) }
        }
    }

    var form: Form {
        switch self {
        case .text: Form("text") { $0 }
        case .number(let range):
            Form(
                "a number from \(range.lowerBound) to \(range.upperBound)",
                unit: "\(range.lowerBound) to \(range.upperBound)"
            ) {
                wholeNumber($0, in: range)
            }
        case .megabytes(let range):
            Form(
                "a number from \(range.lowerBound) to \(range.upperBound)",
                unit: "MB, \(range.lowerBound) to \(range.upperBound)"
            ) { wholeNumber($0, in: range).map { $0 * 1_048_576 } }
        case .duration(let range):
            Form(
                "a time from \(range.lowerBound.settingText) to \(range.upperBound.settingText) (500ms, 30s, 5m, 2h, or seconds)",
                unit: "500ms, 30s, 5m, 2h, or seconds"
            ) { Duration(setting: $0, in: range) }
        case .boolean: Form("true or false", unit: "true or false", truth)
        case .booleanOr(let word):
            Form("true, false or \(word)", unit: "true, false or \(word)") { text -> (any Sendable)? in
                truth(text).map { $0 as any Sendable } ?? (text.lowercased() == word ? word : nil)
            }
        case .choice(let words):
            Form(
                words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))",
                unit: words.joined(separator: ", ")
            ) { text in words.first { $0 == text.lowercased() } }
        case .options(let words):
            Form(
                "off, or a list of \(words.joined(separator: ", ")) separated by commas",
                unit: "off, or of \(words.joined(separator: ", "))"
            ) { wordList($0, of: words) }
        case .address: Form("an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine", listenAddress)
        case .url:
            Form("a URL such as https://host or https://host/path") {
                WebAddress($0, schemes: ["http", "https"], mayHoldCredentials: false)?.text
            }
        case .document: Form("a URL such as https://host/path?query", if: isDocument)
        case .proxy:
            Form("a proxy's URL such as http://host:3128") {
                WebAddress($0, schemes: ["http", "https", "socks5", "socks5h"], mayHoldCredentials: true)?.text
            }
        case .database:
            Form(
                "a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the password",
                if: isDatabase
            )
        case .origins:
            Form.list("* or a list of origins such as https://chat.example.org", unit: "* or comma list", origin)
        case .file: Form("a file that can be read") { $0 }
        case .path: Form("a path without control characters") { $0.hasControl ? nil : $0 }
        case .list: Form.list("a list of names separated by commas") { $0 }
        case .patterns:
            Form.list("a list of model names, prefix* or all, separated by commas", unit: "comma list; prefix*; all") {
                ModelPattern($0)
            }
        case .models:
            Form(
                "a list of name or alias=upstream, each alias once, separated by commas",
                unit: "comma list",
                modelNames
            )
        case .model: Form("the name of a model", if: ModelName.isName)
        case .names:
            Form("a list of model names separated by commas", unit: "comma list") { text in
                items(of: text)?.collect { ModelName.isName($0) ? $0 : nil }?.withoutRepeats
            }
        case .label:
            Form("1 to 64 letters, digits, dots, dashes and underscores") {
                (1...64).contains($0.utf8.count) && $0.utf8.allSatisfy(isOfName) ? $0 : nil
            }
        case .token: Form("1 to \(Self.tokenLimit) visible ASCII characters", if: isToken)
        case .phrase:
            Form("1 to \(Self.tokenLimit) bytes of text") {
                (1...Self.tokenLimit).contains($0.utf8.count) && !$0.hasControl ? $0 : nil
            }
        case .password:
            Form(
                "a password of \(Password.minCharacters) to \(Password.maxCharacters) characters that is hard to guess",
                unit: "at least \(Password.minCharacters) characters",
                if: Password.isGood
            )
        case .moment:
            Form("a day such as 2027-01-31, or a time with its zone such as 2027-01-31T18:00:00+01:00") {
                DateTime.milliseconds($0) != nil || $0.withBytes { Day($0) } != nil ? $0 : nil
            }
        case .timeZone:
            Form("UTC or a time zone of this machine such as Europe/Berlin", unit: "UTC, Europe/Berlin", if: isZoneName)
        case .tokens:
            Form.list(
                "a list of keys, each of 1 to \(Self.tokenLimit) visible ASCII characters",
                unit: "comma or line list"
            ) { isToken($0) ? $0 : nil }
        case .weights: Form.list("a list of numbers above 0 separated by commas", keyWeight)
        case .weight: Form("a number from 0 to 1000000", unit: "0 to 1000000", anyWeight)
        case .temperature:
            Form("a number from 0 to 2", unit: "0 to 2") { anyWeight($0).flatMap { $0 <= 2 ? $0 : nil } }
        case .modelPrices:
            Form(
                "a list of model=price, each model once, such as gpt-4o=0.0025/0.01/0.00125",
                unit: "USD, as model=price"
            ) { try? Price.byModel(items(of: $0) ?? []) }
        case .modelInfo:
            Form(
                "facts of models such as gpt-x=context:128000,output:16384,tools:false;other=context:32000",
                unit: "model=word:value,word:value; by lines or semicolons"
            ) { try? ModelFacts.byModel($0) }
        case .replacements:
            Form("a list of model:other, each model once, separated by commas", unit: "comma list of model:other") {
                byModel($0, ":") { ModelName.isName($0) ? $0 : nil }
            }
        case .rate:
            Form(
                "a number from 0.001 to 1000000 with at most three decimals",
                unit: "0.001 to 1000000 a second",
                startRate
            )
        case .modelWeights:
            Form("a list of model=number, each model once, separated by commas", unit: "comma list") {
                byModel($0, "=", anyWeight)
            }
        case .headers:
            Form("header lines such as X-Team: a; X-Title: b", unit: "by lines or semicolons", headerLines)
        case .limits:
            Form("off or limits such as 60/minute;2000/day", unit: "60/minute;2000/day, off") { try? Quota.list($0) }
        case .modelLimits:
            Form(
                "off or limits of models such as gpt-4o*=10/minute;100/day,o3-mini=5/minute",
                unit: "pattern=limits,pattern=limits; off"
            ) { try? modelQuotas($0) }
        case .price:
            Form(
                "a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals",
                unit: "USD: prompt/completion/cached, per million, list, reported, free"
            ) { Price($0) }
        case .dollars:
            Form("an amount of dollars such as 0.00001, up to 1000 dollars, with at most twelve decimals", unit: "USD")
            {
                Cost(dollars: $0)
            }
        case .toolFees:
            Form(
                "a list of tool=dollars, each tool once, such as web_search=0.01; the tools are "
                    + HostedTool.allCases.map { "\($0.name)" }.joined(separator: ", "),
                unit: "USD, as tool=price"
            ) { ToolFees(items(of: $0) ?? []) }
        case .networks: Form.list("a list of networks such as 10.0.0.0/8") { Network($0) }
        case .host: Form("the name or address of a host", if: isHost)
        case .servers: Form.list("a list of servers such as cache-1:11211,cache-2:11211") { MemcachedAddress($0) }
        case .linkedPort: Form("a number from 1 to 65535", unit: "1 to 65535", portNumber)
        case .published:
            Form(
                "a port such as 5001, or address:port such as 127.0.0.1:5001",
                unit: "5001, 127.0.0.1:5001",
                if: isPublished
            )
        case .listener:
            Form("address:port such as 127.0.0.1:5002", unit: "127.0.0.1:5002") {
                isPublished($0) && $0.contains(":") ? $0 : nil
            }
        }
    }

    /// Returns a specific reason why a text is invalid; nil if only the general description, `expectation`, applies.
    func reason(_ text: String) -> String? {
        if let advice = advice(on: text) { return advice }
        if self == .tokens || self == .token { return keyReason(text) }
        if self == .modelInfo {
            do throws(ModelFacts.Mistake) { _ = try ModelFacts.byModel(text) } catch { return error.reason }
        }
        do throws(Price.Mistake) {
            if self == .price { _ = try Price(parsing: text) }
            if self == .modelPrices { _ = try Price.byModel(items(of: text) ?? []) }
        } catch {
            return error.reason
        }
        do throws(Quota.Mistake) {
            if self == .limits { _ = try Quota.list(text) }
            if self == .modelLimits { _ = try modelQuotas(text) }
            return nil
        } catch {
            return error.reason
        }
    }

    /// Returns the reason why keys are invalid, without quoting them; nil if no specific reason is known.
    private func keyReason(_ text: String) -> String? {
        let keys = self == .tokens ? items(of: text) ?? [] : [text]
        if keys.contains(where: { $0.lowercased().hasPrefix("bearer ") }) {
            return "it begins with \"Bearer \", which is a part of the header and not of the key; write only the key"
        }
        guard keys.contains(where: { $0.utf8.contains { $0 <= 32 } }) else { return nil }
        return "a key contains a space; \(self == .tokens ? "write a comma between two keys" : "remove it")"
    }
}

private func isDocument(_ text: String) -> Bool {
    let address = text.prefix { $0 != "?" }
    return text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }
        && WebAddress(String(address), schemes: ["http", "https"], mayHoldCredentials: true) != nil
}

/// Returns whether the text is a PostgreSQL URL without an unescaped `@` or `/` in its password.
private func isDatabase(_ text: String) -> Bool {
    guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }) else { return false }
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, ["postgres", "postgresql"].contains(parts[0]) else { return false }
    let address = parts[1].prefix { $0 != "?" }
    return address.count { $0 == "@" } == address.prefix { $0 != "/" }.count { $0 == "@" }
        && address.count { $0 == "@" } <= 1
}

/// Parses limits by model, such as `gpt-4o*=10/minute;100/day, o3-mini=5/minute`.
private func modelQuotas(_ text: String) throws(Quota.Mistake) -> [ModelQuotas] {
    if text.trimmed.lowercased() == "off" { return [] }
    var rows: [ModelQuotas] = []
    for item in items(of: text) ?? [] {
        func mistake(_ reason: String) -> Quota.Mistake { Quota.Mistake(item: item, reason: reason) }
        guard let end = item.lastIndex(of: "="), let pattern = ModelPattern(String(item[..<end].trimmed)) else {
            throw mistake("\"\(item)\" is not of the form model=limits")
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

/// Returns the trimmed items between commas or line ends, without empty items; nil if no item remains.
private func items(of text: String) -> [String]? {
    let items = text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed) }.filter { !$0.isEmpty }
    return items.isEmpty ? nil : items
}

/// Parses header lines `Name: value`; nil if a line is invalid or sets a reserved header.
private func headerLines(_ text: String) -> [String]? {
    let isByLines = text.contains(where: \.isNewline)
    let lines = text.split { isByLines ? $0.isNewline : $0 == ";" }.map { String($0.trimmed) }.filter { !$0.isEmpty }
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
private func isZoneName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return text.utf8.count <= 64
        && parts.allSatisfy { part in
            guard let first = part.utf8.first, isOfName(first), first != UInt8(ascii: ".") else { return false }
            return part.utf8.allSatisfy { isOfName($0) || $0 == UInt8(ascii: "+") }
        }
}

private func isOfName(_ byte: UInt8) -> Bool { byte.isLetterOrDigit || "-_.".utf8.contains(byte) }

private func wholeNumber(_ text: String, in range: ClosedRange<Int>) -> Int? {
    guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text), range.contains(number) else {
        return nil
    }
    return number
}

private func truth(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "1", "yes", "on": true
    case "false", "0", "no", "off": false
    default: nil
    }
}

private func listenAddress(_ text: String) -> String? {
    if text.lowercased() == "localhost" { return "127.0.0.1" }
    var room = in6_addr()
    let isAddress = inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1
    return isAddress ? text : nil
}

private func origin(_ text: String) -> String? {
    if text == "*" { return text }
    let address = WebAddress(text, schemes: ["http", "https"], mayHoldCredentials: false)
    guard let address, address.path.isEmpty, text.last != "/" else { return nil }
    return address.text.lowercased()
}

private func modelNames(_ text: String) -> [ModelName]? {
    guard let names = items(of: text)?.collect(ModelName.init) else { return nil }
    return Set(names.map(\.alias)).count == names.count ? names : nil
}

private func isToken(_ text: String) -> Bool {
    text.utf8.count <= SettingType.tokenLimit && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
}

/// Returns whether the text is a host name or an IP address without a port.
private func isHost(_ text: String) -> Bool {
    text.utf8.count < 256 && text.utf8.count { $0 == UInt8(ascii: ":") } != 1
        && text.utf8.allSatisfy { isOfName($0) || $0 == UInt8(ascii: ":") }
}

private func portNumber(_ text: String) -> Int? {
    let range = 1...65_535
    guard text.hasPrefix("tcp://") else { return wholeNumber(text, in: range) }
    return wholeNumber(String(text[text.index(after: text.lastIndex(of: ":") ?? text.startIndex)...]), in: range)
}

/// Returns whether the text is a port or an IP address with a port.
private func isPublished(_ text: String) -> Bool {
    guard text.contains(":") else { return wholeNumber(text, in: 1...65_535) != nil }
    guard let address = MemcachedAddress(text) else { return false }
    return Network(address.host) != nil && !address.host.contains("/")
}

/// Parses the weight of a key, above 0 and at most a million; nil if invalid.
private func keyWeight(_ text: String) -> Double? { anyWeight(text).flatMap { $0 > 0 ? $0 : nil } }

/// Parses a number from 0 to a million; nil if the text is no such number.
private func anyWeight(_ text: String) -> Double? {
    let isPlain = text.utf8.count <= 15 && text.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    guard isPlain, let number = Double(text), number <= 1_000_000 else { return nil }
    return number
}

private func wordList(_ text: String, of words: [String]) -> [String]? {
    if text.lowercased() == "off" { return [] }
    return items(of: text)?.collect { item in words.first { $0 == item.lowercased() } }
}

private func startRate(_ text: String) -> Double? {
    let decimals = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).dropFirst()
    guard decimals.count <= 1, (decimals.first?.count ?? 1) <= 3, let number = anyWeight(text), number > 0 else {
        return nil
    }
    return number
}

/// Parses a list such as `fast=2,gpt-4o=0`; nil if an item is invalid or a name occurs twice.
/// - Parameter sign: the character between name and value.
private func byModel<Value>(_ text: String, _ sign: Character, _ read: (String) -> Value?) -> [String: Value]? {
    var values: [String: Value] = [:]
    for item in items(of: text) ?? [] {
        // The last colon may belong to the suffix of the other model's name.
        let head = sign == ":" && item.hasSuffix(ModelName.online) ? item.dropLast(ModelName.online.count) : item[...]
        guard let separator = head.lastIndex(of: sign) ?? item.lastIndex(of: sign),
            let value = read(String(item[item.index(after: separator)...].trimmed))
        else { return nil }
        let name = String(item[..<separator].trimmed)
        guard ModelName.isName(name), values.updateValue(value, forKey: name) == nil else { return nil }
    }
    return values.isEmpty ? nil : values
}

extension String {
    /// Whether the text contains a control character of ASCII.
    fileprivate var hasControl: Bool { utf8.contains { $0 < 32 || $0 == 127 } }
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
