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

    /// The description of valid values in the table of settings (`SettingsTable.reference`), whose heading explains its
    /// words.
    var referenceValue: String {
        switch self {
        case .number(let range), .megabytes(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "a time, \(range.lowerBound.settingText) to \(range.upperBound.settingText)"
        case .choice(let words): words.joined(separator: ", ")
        case .url: "a URL"
        case .list: "names"
        case .names: "models"
        case .patterns: "patterns"
        case .token: "a word"
        case .tokens: "words"
        case .limits: "limits"
        default: form.expectation
        }
    }

    /// The largest length of a key in settings and requests, in bytes.
    static let tokenLimit = 512
}
