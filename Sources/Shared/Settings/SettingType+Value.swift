import Engine
import Glibc
import Limits

extension SettingType {
    /// Parses a text that is not empty; nil if it is invalid for this type.
    func value(of text: String) -> SettingValue? {
        switch self {
        case .text, .file: return .text(text)
        case .path: return text.utf8.contains { $0 < 32 || $0 == 127 } ? nil : .text(text)
        case .number(let range): return wholeNumber(text, in: range).map { .number($0) }
        case .megabytes(let range): return wholeNumber(text, in: range).map { .number($0 * 1_048_576) }
        case .duration(let range): return Duration(setting: text, in: range).map { .duration($0) }
        case .boolean: return truth(text).map { .boolean($0) }
        case .booleanOr(let word):
            return truth(text).map { .boolean($0) } ?? (text.lowercased() == word ? .text(word) : nil)
        case .options(let words): return wordList(text, of: words).map { .list($0) }
        case .choice(let words): return words.first { $0 == text.lowercased() }.map { .text($0) }
        case .address: return listenAddress(text).map { .text($0) }
        case .url:
            return WebAddress(text, schemes: ["http", "https"], mayHoldCredentials: false).map { .text($0.text) }
        case .document: return isDocument(text) ? .text(text) : nil
        case .proxy:
            return WebAddress(text, schemes: ["http", "https", "socks5", "socks5h"], mayHoldCredentials: true)
                .map { .text($0.text) }
        case .database: return isDatabase(text) ? .text(text) : nil
        case .origins: return originList(text).map { .list($0) }
        case .list: return items(of: text).map { .list($0) }
        case .patterns: return items(of: text)?.collect(ModelPattern.init).map { .patterns($0) }
        case .models: return modelNames(text).map { .models($0) }
        case .model: return ModelName.isName(text) ? .text(text) : nil
        case .names:
            return items(of: text)?.collect { ModelName.isName($0) ? $0 : nil }.map { .list($0.withoutRepeats) }
        case .label: return isLabel(text) ? .text(text) : nil
        case .token: return isToken(text) ? .text(text) : nil
        case .phrase:
            let isBounded = (1...Self.tokenLimit).contains(text.utf8.count)
            return isBounded && !text.utf8.contains { $0 < 32 || $0 == 127 } ? .text(text) : nil
        case .password: return Password.isGood(text) ? .text(text) : nil
        case .moment:
            return DateTime.milliseconds(text) != nil || text.withBytes { Day($0) } != nil ? .text(text) : nil
        case .timeZone: return isZoneName(text) ? .text(text) : nil
        case .tokens: return items(of: text)?.collect { isToken($0) ? $0 : nil }.map { .list($0) }
        case .headers: return headerLines(text).map { .list($0) }
        case .limits: return (try? Quota.list(text)).map { .limits($0) }
        case .modelLimits: return (try? modelQuotas(text)).map { .modelLimits($0) }
        case .price: return Price(text).map { .price($0) }
        case .networks: return items(of: text)?.collect(Network.init).map { .networks($0) }
        case .host: return isHost(text) ? .text(text) : nil
        case .servers: return items(of: text)?.collect(MemcachedAddress.init).map { .servers($0) }
        case .linkedPort: return portNumber(text).map { .number($0) }
        case .published: return isPublished(text) ? .text(text) : nil
        case .listener: return isPublished(text) && text.contains(":") ? .text(text) : nil
        case .weights: return items(of: text)?.collect(keyWeight).map { .weights($0) }
        case .weight: return anyWeight(text).map { .weights([$0]) }
        case .temperature: return anyWeight(text).flatMap { $0 <= 2 ? .weights([$0]) : nil }
        case .modelPrices: return (try? Price.byModel(items(of: text) ?? [])).map { .modelPrices($0) }
        case .dollars: return Cost(dollars: text).map { .dollars($0) }
        case .toolFees: return ToolFees(items(of: text) ?? []).map { .toolFees($0) }
        case .modelInfo: return (try? ModelFacts.byModel(text)).map { .modelInfo($0) }
        case .replacements: return byModel(text, ":", otherModel).map { .replacements($0) }
        case .rate: return startRate(text).map { .weights([$0]) }
        case .modelWeights: return byModel(text, "=", anyWeight).map { .modelWeights($0) }
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

private func originList(_ text: String) -> [String]? {
    items(of: text)?.collect { item in
        if item == "*" { return item }
        let address = WebAddress(item, schemes: ["http", "https"], mayHoldCredentials: false)
        guard let address, address.path.isEmpty, item.last != "/" else { return nil }
        return address.text.lowercased()
    }
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

private func otherModel(_ text: String) -> String? { ModelName.isName(text) ? text : nil }

private func isLabel(_ text: String) -> Bool { (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isOfName) }

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
