import Glibc

/// How the text of a setting is read, and what it may hold.
package enum SettingType: Sendable, Equatable {
    case text
    case number(ClosedRange<Int>)
    /// A number of megabytes (1,048,576 bytes), read as bytes.
    case megabytes(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case boolean
    /// One of these words, in any case.
    case choice([String])
    /// An IP address to listen on, or `localhost`.
    case address
    /// http or https, without credentials, query and fragment; a slash at the end is cut.
    case url
    /// http, https or socks5, perhaps with credentials.
    case proxy
    /// `*`, or a comma list of `scheme://host[:port]`.
    case origins
    /// A file that can be read.
    case file
    /// A comma list.
    case list
    /// A comma list of model names, `prefix*`, `all`.
    case patterns
    /// A comma list of `name` or `alias=upstream`.
    case models
    /// One model's name.
    case model
    /// A comma list of model names, each once.
    case names
    /// 1 to 64 of letters, digits, `.`, `_`, `-`.
    case label
    /// What clients or vendors take for a key.
    case token
    /// A list of tokens, by commas or lines.
    case tokens
    /// A comma list of numbers above 0.
    case weights
}

/// A setting's value after reading.
package enum SettingValue: Sendable, Equatable {
    case text(String)
    case number(Int)
    case duration(Duration)
    case boolean(Bool)
    case list([String])
    case patterns([ModelPattern])
    case models([ModelName])
    case weights([Double])
}

extension SettingType {
    /// The value that `text` (not empty) stands for, or nil if it is none of this type.
    func value(of text: String) -> SettingValue? {
        switch self {
        case .text, .file: return .text(text)
        case .number(let range): return wholeNumber(text, in: range).map { .number($0) }
        case .megabytes(let range): return wholeNumber(text, in: range).map { .number($0 * 1_048_576) }
        case .duration(let range): return Duration(setting: text, in: range).map { .duration($0) }
        case .boolean: return truth(text).map { .boolean($0) }
        case .choice(let words): return words.first { $0 == text.lowercased() }.map { .text($0) }
        case .address: return listenAddress(text).map { .text($0) }
        case .url:
            return WebAddress(text, schemes: ["http", "https"], mayHoldCredentials: false).map { .text($0.text) }
        case .proxy:
            return WebAddress(text, schemes: ["http", "https", "socks5", "socks5h"], mayHoldCredentials: true)
                .map { .text($0.text) }
        case .origins: return originList(text).map { .list($0) }
        case .list: return items(of: text).map { .list($0) }
        case .patterns: return items(of: text)?.collect(ModelPattern.init).map { .patterns($0) }
        case .models: return modelNames(text).map { .models($0) }
        case .model: return isVisible(text) ? .text(text) : nil
        case .names: return items(of: text)?.collect { isVisible($0) ? $0 : nil }.map { .list($0.withoutRepeats) }
        case .label: return isLabel(text) ? .text(text) : nil
        case .token: return isToken(text) ? .text(text) : nil
        case .tokens: return items(of: text)?.collect { isToken($0) ? $0 : nil }.map { .list($0) }
        case .weights: return items(of: text)?.collect(weight).map { .weights($0) }
        }
    }

    /// Completes the sentence `"…" is not …`.
    var expectation: String {
        switch self {
        case .text: "text"
        case .file: "a file that can be read"
        case .number(let range), .megabytes(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "a time from \(range.lowerBound.settingText) to \(range.upperBound.settingText) (500ms, 30s, 5m, 2h, or seconds)"
        case .boolean: "true or false"
        case .choice(let words): words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))"
        case .address: "an IP address"
        case .url: "a URL such as https://host or https://host/path"
        case .proxy: "a proxy's URL such as http://host:3128"
        case .origins: "* or a list of origins such as https://chat.example.org"
        case .list: "a list of names separated by commas"
        case .patterns: "a list of model names, prefix* or all, separated by commas"
        case .models: "a list of name or alias=upstream, each alias once, separated by commas"
        case .model: "the name of a model"
        case .names: "a list of model names separated by commas"
        case .label: "1 to 64 letters, digits, dots, dashes and underscores"
        case .token: "1 to \(Self.tokenLimit) visible ASCII characters"
        case .tokens: "a list of keys, each of 1 to \(Self.tokenLimit) visible ASCII characters"
        case .weights: "a list of numbers above 0 separated by commas"
        }
    }

    /// The unit and the values allowed, for the help text; empty where the description says it all.
    var unit: String {
        switch self {
        case .number(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .megabytes(let range): "MB, \(range.lowerBound) to \(range.upperBound)"
        case .duration: "500ms, 30s, 5m, 2h, or seconds"
        case .boolean: "true or false"
        case .choice(let words): words.joined(separator: ", ")
        case .list, .models, .names, .weights: "comma list"
        case .tokens: "comma or line list"
        case .origins: "* or comma list"
        case .patterns: "comma list; prefix*; all"
        case .text, .address, .url, .proxy, .file, .label, .model, .token: ""
        }
    }
}

extension SettingType {
    /// The most characters of a key, in settings and in requests.
    static let tokenLimit = 512
}

/// The items of a comma list, spaces trimmed and empty ones dropped; nil if none is left.
private func items(of text: String) -> [String]? {
    let items = text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed) }.filter { !$0.isEmpty }
    return items.isEmpty ? nil : items
}

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
    items(of: text)?
        .collect { item in
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

private func isVisible(_ text: String) -> Bool { text.utf8.allSatisfy { $0 > 32 && $0 != 127 } }

private func isToken(_ text: String) -> Bool {
    text.utf8.count <= SettingType.tokenLimit && text.utf8.allSatisfy { $0 > 32 && $0 < 127 }
}

/// At most a million, so that sums stay exact enough.
private func weight(_ text: String) -> Double? {
    let isPlain = text.utf8.count <= 15 && text.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    guard isPlain, let number = Double(text), number > 0, number <= 1_000_000 else { return nil }
    return number
}

private func isLabel(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
}

extension [String] {
    /// Of equal ones the first.
    fileprivate var withoutRepeats: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}

extension Array {
    /// All results, or nil if there is none for one element.
    func collect<Result>(_ transform: (Element) -> Result?) -> [Result]? {
        var results: [Result] = []
        for element in self {
            guard let result = transform(element) else { return nil }
            results.append(result)
        }
        return results
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
        return rest
    }
}
