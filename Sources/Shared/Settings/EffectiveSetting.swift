/// A setting and its current value, as `relay config` prints them. Secrets are masked.
package struct EffectiveSetting: Sendable, Equatable {
    package let name: String
    package let shown: String
    /// The source of the value: `default`, `environment`, or a file and line.
    package let location: String

    /// The value as a `.env` file needs it, in double quotes if necessary.
    package var dotenvValue: String {
        let isPlain = shown.utf8.allSatisfy { byte in
            byte > 32 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
        }
        if isPlain && shown.first != "#" { return shown }
        let escaped = shown.map { character in
            switch character {
            case "\n": "\\n"
            case "\"", "\\": "\\\(character)"
            default: String(character)
            }
        }
        return "\"\(escaped.joined())\""
    }
}
