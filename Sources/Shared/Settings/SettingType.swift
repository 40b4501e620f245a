import Engine
import Limits

/// The type of a setting: how its text is parsed, and which values are allowed. The property `form` has the details.
package enum SettingType: Sendable, Equatable {
    case text
    case number(ClosedRange<Int>)
    /// A number of megabytes. The parsed value is in bytes; one megabyte has 1,048,576 bytes.
    case megabytes(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case boolean
    /// `true` or `false`, or this word.
    case booleanOr(String)
    /// A word from this list. Upper and lower case are equal.
    case choice([String])
    /// A comma-separated list of these words, or `off` for none. Upper and lower case are equal.
    case options([String])
    /// An IP address of this machine on which to listen, or `localhost`.
    case address
    /// An http or https URL without credentials, query and fragment. Parsing removes a slash at its end.
    case url
    /// The http or https URL of a document, unchanged. It may contain credentials and a query.
    case document
    /// The http, https or socks5 URL of a proxy. It may contain credentials.
    case proxy
    case database
    case origins
    case file
    case path
    case list
    case patterns
    /// A comma-separated list of models, each as `name` or `alias=upstream` (the callers' name and the vendor's name).
    case models
    case model
    /// A comma-separated list of model names. Repeated names are removed.
    case names
    case label
    /// A caller's key or a key for a vendor.
    case token
    /// A secret text without control characters, such as the key of an encrypted document.
    case phrase
    /// A password that a person types.
    case password
    case moment
    case timeZone
    /// A list of keys, separated by commas or line ends.
    case tokens
    case weights
    case weight
    case temperature
    case modelPrices
    case modelInfo
    case replacements
    case rate
    case modelWeights
    case headers
    case limits
    case modelLimits
    /// A price in dollars per 1000 tokens, such as `0.002`, or `0.001/0.004` for prompt and completion.
    case price
    case dollars
    case toolFees
    case networks
    case host
    case servers
    /// A port, or the port of a URL `tcp://host:port` that Docker sets.
    case linkedPort
    case published
    case listener
}

extension SettingType {
    /// Returns the type of a setting whose value is the raw value of a case of `type`.
    static func choice<Word: CaseIterable & RawRepresentable<String>>(of type: Word.Type) -> SettingType {
        .choice(type.allCases.map(\.rawValue))
    }

    /// Returns the type of a setting whose value is a list of raw values of cases of `type`.
    static func options<Word: CaseIterable & RawRepresentable<String>>(of type: Word.Type) -> SettingType {
        .options(type.allCases.map(\.rawValue))
    }

    /// The largest length of a key in settings and requests, in bytes.
    static let tokenLimit = 512
}

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
            Form(expectation, unit: unit) { SettingType.items(of: $0)?.collect(item) }
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
                Self.wholeNumber($0, in: range)
            }
        case .megabytes(let range):
            Form(
                "a number from \(range.lowerBound) to \(range.upperBound)",
                unit: "MB, \(range.lowerBound) to \(range.upperBound)"
            ) { Self.wholeNumber($0, in: range).map { $0 * 1_048_576 } }
        case .duration(let range):
            Form(
                "a time from \(range.lowerBound.settingText) to \(range.upperBound.settingText) (500ms, 30s, 5m, 2h, or seconds)",
                unit: "500ms, 30s, 5m, 2h, or seconds"
            ) { Duration(setting: $0, in: range) }
        case .boolean: Form("true or false", unit: "true or false", Self.truth)
        case .booleanOr(let word):
            Form("true, false or \(word)", unit: "true, false or \(word)") { text -> (any Sendable)? in
                Self.truth(text).map { $0 as any Sendable } ?? (text.lowercased() == word ? word : nil)
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
            ) { Self.wordList($0, of: words) }
        case .address: Form("an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine", Self.listenAddress)
        case .url:
            Form("a URL such as https://host or https://host/path") {
                WebAddress($0, schemes: ["http", "https"], mayHoldCredentials: false)?.text
            }
        case .document: Form("a URL such as https://host/path?query", if: Self.isDocument)
        case .proxy:
            Form("a proxy's URL such as http://host:3128") {
                WebAddress($0, schemes: ["http", "https", "socks5", "socks5h"], mayHoldCredentials: true)?.text
            }
        case .database:
            Form(
                "a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the password",
                if: Self.isDatabase
            )
        case .origins:
            Form.list("* or a list of origins such as https://chat.example.org", unit: "* or comma list", Self.origin)
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
                Self.modelNames
            )
        case .model: Form("the name of a model", if: ModelName.isName)
        case .names:
            Form("a list of model names separated by commas", unit: "comma list") { text in
                Self.items(of: text)?.collect { ModelName.isName($0) ? $0 : nil }?.withoutRepeats
            }
        case .label:
            Form("1 to 64 letters, digits, dots, dashes and underscores") {
                (1...64).contains($0.utf8.count) && $0.utf8.allSatisfy(Self.isOfName) ? $0 : nil
            }
        case .token: Form("1 to \(Self.tokenLimit) visible ASCII characters", if: Self.isToken)
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
            Form(
                "UTC or a time zone of this machine such as Europe/Berlin",
                unit: "UTC, Europe/Berlin",
                if: Self.isZoneName
            )
        case .tokens:
            Form.list(
                "a list of keys, each of 1 to \(Self.tokenLimit) visible ASCII characters",
                unit: "comma or line list"
            ) { Self.isToken($0) ? $0 : nil }
        case .weights: Form.list("a list of numbers above 0 separated by commas", Self.keyWeight)
        case .weight: Form("a number from 0 to 1000000", unit: "0 to 1000000", Self.anyWeight)
        case .temperature:
            Form("a number from 0 to 2", unit: "0 to 2") { Self.anyWeight($0).flatMap { $0 <= 2 ? $0 : nil } }
        case .modelPrices:
            Form(
                "a list of model=price, each model once, such as gpt-4o=0.0025/0.01/0.00125",
                unit: "USD, as model=price"
            ) { try? Price.byModel(Self.items(of: $0) ?? []) }
        case .modelInfo:
            Form(
                "facts of models such as gpt-x=context:128000,output:16384,tools:false;other=context:32000",
                unit: "model=word:value,word:value; by lines or semicolons"
            ) { try? ModelFacts.byModel($0) }
        case .replacements:
            Form("a list of model:other, each model once, separated by commas", unit: "comma list of model:other") {
                Self.byModel($0, ":") { ModelName.isName($0) ? $0 : nil }
            }
        case .rate:
            Form(
                "a number from 0.001 to 1000000 with at most three decimals",
                unit: "0.001 to 1000000 a second",
                Self.startRate
            )
        case .modelWeights:
            Form("a list of model=number, each model once, separated by commas", unit: "comma list") {
                Self.byModel($0, "=", Self.anyWeight)
            }
        case .headers:
            Form(
                "header lines such as X-Team: a; X-Title: b, without Host, Content-Type and others that the relay sets",
                unit: "by lines or semicolons",
                Self.headerLines
            )
        case .limits:
            Form("off or limits such as 60/minute;2000/day", unit: "60/minute;2000/day, off") { try? Quota.list($0) }
        case .modelLimits:
            Form(
                "off or limits of models such as gpt-4o*=10/minute;100/day,o3-mini=5/minute",
                unit: "pattern=limits,pattern=limits; off"
            ) { try? Self.modelQuotas($0) }
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
            ) { ToolFees(Self.items(of: $0) ?? []) }
        case .networks: Form.list("a list of networks such as 10.0.0.0/8") { Network($0) }
        case .host: Form("the name or address of a host", if: Self.isHost)
        case .servers: Form.list("a list of servers such as cache-1:11211,cache-2:11211") { MemcachedAddress($0) }
        case .linkedPort: Form("a number from 1 to 65535", unit: "1 to 65535", Self.portNumber)
        case .published:
            Form(
                "a port such as 5001, or address:port such as 127.0.0.1:5001",
                unit: "5001, 127.0.0.1:5001",
                if: Self.isPublished
            )
        case .listener:
            Form("address:port such as 127.0.0.1:5002", unit: "127.0.0.1:5002") {
                Self.isPublished($0) && $0.contains(":") ? $0 : nil
            }
        }
    }
}

extension String {
    /// Whether the text contains a control character of ASCII.
    fileprivate var hasControl: Bool { utf8.contains { $0 < 32 || $0 == 127 } }
}
