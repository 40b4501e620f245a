import Engine
import Limits

extension SettingType {
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

    /// Returns advice on a list of names of models.
    /// - Parameter areWhole: whether the names may not be patterns such as `gpt-4*`.
    static func adviceOnNames(_ text: String, areWhole: Bool = false) -> String? {
        if text.hasPrefix("[") || text.contains("\"") { return "write names with commas, without brackets and quotes" }
        if areWhole, text.contains("*") {
            return "write whole names, or * alone for all models on the vendor's list"
        }
        if text.contains(">") { return "write = between the callers' name and the vendor's name" }
        return adviceOnCommas(text) ?? (text.contains(" ") ? "write a comma between two names" : nil)
    }

    static func adviceOnCommas(_ text: String) -> String? {
        text.contains(";") ? "write a comma between two of them; ; stands between limits" : nil
    }

    /// Whether a path begins with `~`, which only shells replace.
    static func isOfHome(_ path: String) -> Bool { path == "~" || path.hasPrefix("~/") }

    static let adviceOnHome = "~ is not replaced; write the whole path"

    /// Returns the reason why keys are invalid, without quoting them; nil if no specific reason is known.
    /// - Parameter advice: what to do about a space in a key.
    static func reason(ofKeys keys: [String], _ advice: String) -> String? {
        if keys.contains(where: { $0.lowercased().hasPrefix("bearer ") }) {
            return "it begins with \"Bearer \", which is a part of the header and not of the key; write only the key"
        }
        return keys.contains { $0.utf8.contains { $0 <= 32 } } ? "a key contains a space; \(advice)" : nil
    }

    static func adviceOnDollars(_ text: String) -> String? { text.contains("$") ? "write dollars without $" : nil }

    static let adviceOnScheme = "counters are kept in memcached; write a memcached server without ://"

    static func adviceOnLimits(_ text: String, areOfModels: Bool) -> String? {
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
            if !areOfModels, number.contains(",") {
                let parts = number.split(separator: ",")
                let isGrouped = parts.dropFirst().allSatisfy { $0.count == 3 }
                return "write \(isGrouped ? digits : parts.joined(separator: ".")), without a comma"
            }
            if !areOfModels, item.contains(",") { return "write ; between two limits" }
            if Int(digits) == 0 {
                return
                    "a limit of 0 lets nobody in; for no limit write off, and KEY_<NAME>_ENABLED=false refuses a caller"
            }
        }
        return nil
    }
}
