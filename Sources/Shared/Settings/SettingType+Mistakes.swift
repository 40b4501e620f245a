import Engine
import Limits

extension SettingType {
    /// Returns what to write in place of a usual mistake; nil if the text has none.
    func advice(on text: String) -> String? {
        if let advice = Self.adviceOnLookalikes(text) { return advice }
        switch self {
        case .models, .names, .patterns: return adviceOnNames(text)
        case .limits, .modelLimits: return adviceOnLimits(text)
        case .modelPrices where !text.contains("$"), .modelWeights, .toolFees, .networks, .weights, .options:
            return Self.adviceOnCommas(text)
        case .price, .modelPrices, .dollars: return text.contains("$") ? "write dollars without $" : nil
        case .host where !text.contains("://"):
            guard let address = MemcachedAddress(text), text.contains(":") else { return nil }
            return """
                set the port separately: MEMCACHED_HOST=\(address.host) and MEMCACHED_PORT=\(address.port), or \
                MEMCACHED_SERVERS=\(address.text)
                """
        case .host, .servers:
            return text.contains("://")
                ? "counters are kept in memcached; write a memcached server without ://" : Self.adviceOnCommas(text)
        case .password: return "`openssl rand -hex 24` makes one"
        case .url: return text.contains("?") ? "a base URL has no query; remove the part from ? on" : nil
        case .database:
            if text.hasPrefix("sqlite") { return "for SQLite set DATA_DIR to a folder in its place" }
            let scheme = text.prefix { $0 != ":" }
            guard scheme.hasPrefix("postgres"), scheme.contains("+") else { return nil }
            return "write postgres:// in place of \(scheme)://"
        case .address:
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, form.value(String(parts[0])) != nil else { return nil }
            return "set the port separately: HOST=\(parts[0]) and PORT=\(parts[1])"
        case .origins:
            let isEnded = text.split(separator: ",").contains { $0.trimmed.hasSuffix("/") }
            return isEnded ? "write an origin without the / at its end" : Self.adviceOnCommas(text)
        default: return nil
        }
    }

    /// Characters that look like others, and those that are meant; none for those that cannot be seen.
    private static let lookalikes: [(ClosedRange<UInt32>, String)] = [
        (0x2010...0x2015, "-"), (0x2212...0x2212, "-"), (0x2018...0x201B, "'"), (0x201C...0x201F, "\""),
        (0x00A0...0x00A0, ""), (0x200B...0x200F, ""), (0x2060...0x2060, ""), (0xFEFF...0xFEFF, ""),
    ]

    /// Returns what to do about a character that looks like an ASCII character, or like nothing; nil if there is none.
    static func adviceOnLookalikes(_ text: String) -> String? {
        for scalar in text.unicodeScalars where scalar.value > 127 {
            var number: String {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                return "U+" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
            }
            if (0xFF01...0xFF5E).contains(scalar.value), let meant = Unicode.Scalar(scalar.value - 0xFEE0) {
                return "it has the wide character \(number); write \(meant)"
            }
            guard let (_, meant) = lookalikes.first(where: { $0.0.contains(scalar.value) }) else { continue }
            if meant.isEmpty { return "it has the invisible character \(number); remove it" }
            return "it has \(number), which only looks like \(meant); \(meant == "-" ? "write -" : "remove it")"
        }
        return nil
    }

    private func adviceOnNames(_ text: String) -> String? {
        if text.hasPrefix("[") || text.contains("\"") { return "write names with commas, without brackets and quotes" }
        if self == .models, text.contains("*") {
            return "write whole names, or * alone for all models on the vendor's list"
        }
        if text.contains(">") { return "write = between the callers' name and the vendor's name" }
        return Self.adviceOnCommas(text) ?? (text.contains(" ") ? "write a comma between two names" : nil)
    }

    private static func adviceOnCommas(_ text: String) -> String? {
        text.contains(";") ? "write a comma between two of them; ; stands between limits" : nil
    }

    private func adviceOnLimits(_ text: String) -> String? {
        for item in text.lowercased().split(separator: ";") {
            let words = item.split { " /".contains($0) }
            let number = words.first ?? ""
            let digits = number.filter(\.isNumber)
            if digits.isEmpty { continue }
            let counted = words.dropFirst().contains { $0.first?.isNumber ?? false }
            if let last = words.last, last.hasPrefix("month"), counted || last != "month" {
                return "write month for one month of the calendar, or 30 days"
            }
            if number.dropLast().allSatisfy(\.isNumber), let zeros = ["k": "000", "m": "000000"][number.suffix(1)] {
                return "write \(digits)\(zeros)"
            }
            if self == .limits, number.contains(",") {
                let parts = number.split(separator: ",")
                let isGrouped = parts.dropFirst().allSatisfy { $0.count == 3 }
                return "write \(isGrouped ? digits : parts.joined(separator: ".")), without a comma"
            }
            if self == .limits, item.contains(",") { return "write ; between two limits" }
            if Int(digits) == 0 { return "a limit of 0 lets nobody in; remove the key in its place, or write off" }
        }
        return nil
    }
}
