package import Engine
package import Limits

/// The type of a setting: how its text is parsed, and which values are allowed.
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
    /// The URL of a PostgreSQL database, such as `postgres://user:password@host/database`.
    case database
    /// `*`, or a comma-separated list of web origins of the form `scheme://host[:port]`.
    case origins
    /// The path of a file that the relay can read.
    case file
    /// The path of a file or folder, without control characters.
    case path
    /// A comma-separated list of names.
    case list
    /// A comma-separated list of model names and patterns such as `gpt-4*` or `all`.
    case patterns
    /// A comma-separated list of models, each as `name` or `alias=upstream` (the callers' name and the vendor's name).
    case models
    /// The name of one model, without spaces.
    case model
    /// A comma-separated list of model names. Repeated names are removed.
    case names
    /// A name of 1 to 64 letters, digits, `.`, `_` or `-`.
    case label
    /// A caller's key or a key for a vendor.
    case token
    /// A secret text without control characters, such as the key of an encrypted document.
    case phrase
    /// A password that a person types.
    case password
    /// A day such as `2027-01-31`, or a time in the format of RFC 3339.
    case moment
    /// The name of a time zone that this machine knows, such as `Europe/Berlin`.
    case timeZone
    /// A list of keys, separated by commas or line ends.
    case tokens
    /// A comma-separated list of numbers above 0, such as one weight for each key.
    case weights
    /// A number from 0 to a million, such as the weight of a provider.
    case weight
    /// A sampling temperature from 0 to 2.
    case temperature
    /// A comma-separated list of `model=price` items. A model may occur only once.
    case modelPrices
    /// Facts of models, such as `gpt-x=context:128000,tools:false;other=context:32000`.
    case modelInfo
    /// A comma-separated list of `model:replacement` items. A model may occur only once.
    case replacements
    /// The number of upstream calls that may start per second, above 0 with at most three decimals.
    case rate
    /// A comma-separated list of `model=weight` items. A model may occur only once.
    case modelWeights
    /// HTTP headers of the form `Name: value`, separated by line ends or semicolons.
    case headers
    /// Limits joined by `;`, such as `60/minute;2000/day`, or `off`.
    case limits
    /// A comma-separated list of limits for models, such as `gpt-4o*=10/minute;100/day,o3-mini=5/minute`, or `off`.
    case modelLimits
    /// A price in dollars per 1000 tokens, such as `0.002`, or `0.001/0.004` for prompt and completion.
    case price
    /// An amount of dollars with at most twelve decimals.
    case dollars
    /// A comma-separated list of `tool=dollars` items, the prices of one use of hosted tools.
    case toolFees
    /// A comma-separated list of IP addresses and address ranges such as `10.0.0.0/8`.
    case networks
    /// A host name or an IP address, without a port.
    case host
    /// A comma-separated list of memcached servers, each as `host` or `host:port`.
    case servers
    /// A port, or the port of a URL `tcp://host:port` that Docker sets.
    case linkedPort
    /// A port such as `5001`, or an IP address with a port such as `127.0.0.1:5001`.
    case published
    /// An IP address and port on which to listen, such as `127.0.0.1:5002`.
    case listener
}

package enum SettingValue: Sendable, Equatable {
    case text(String)
    case number(Int)
    case duration(Duration)
    case boolean(Bool)
    case list([String])
    case patterns([ModelPattern])
    case models([ModelName])
    case weights([Double])
    case modelWeights([String: Double])
    case limits([Quota])
    case modelLimits([ModelQuotas])
    case price(Price)
    case toolFees(ToolFees)
    case dollars(Cost)
    case modelPrices([String: Price])
    case modelInfo([String: ModelFacts])
    case replacements([String: String])
    case networks([Network])
    case servers([MemcachedAddress])
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

    /// The description of valid values for an error message, such as `a number from 0 to 2`.
    var expectation: String {
        switch self {
        case .text: "text"
        case .file: "a file that can be read"
        case .path: "a path without control characters"
        case .number(let range), .megabytes(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "a time from \(range.lowerBound.settingText) to \(range.upperBound.settingText) (500ms, 30s, 5m, 2h, or seconds)"
        case .boolean: "true or false"
        case .booleanOr(let word): "true, false or \(word)"
        case .options(let words): "off, or a list of \(words.joined(separator: ", ")) separated by commas"
        case .choice(let words): words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))"
        case .address: "an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine"
        case .url: "a URL such as https://host or https://host/path"
        case .document: "a URL such as https://host/path?query"
        case .proxy: "a proxy's URL such as http://host:3128"
        case .database: "a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the password"
        case .origins: "* or a list of origins such as https://chat.example.org"
        case .list: "a list of names separated by commas"
        case .patterns: "a list of model names, prefix* or all, separated by commas"
        case .models: "a list of name or alias=upstream, each alias once, separated by commas"
        case .model: "the name of a model"
        case .names: "a list of model names separated by commas"
        case .label: "1 to 64 letters, digits, dots, dashes and underscores"
        case .token: "1 to \(Self.tokenLimit) visible ASCII characters"
        case .phrase: "1 to \(Self.tokenLimit) bytes of text"
        case .password:
            "a password of \(Password.minCharacters) to \(Password.maxCharacters) characters that is hard to guess"
        case .moment: "a day such as 2027-01-31, or a time with its zone such as 2027-01-31T18:00:00+01:00"
        case .timeZone: "UTC or a time zone of this machine such as Europe/Berlin"
        case .tokens: "a list of keys, each of 1 to \(Self.tokenLimit) visible ASCII characters"
        case .weights: "a list of numbers above 0 separated by commas"
        case .weight: "a number from 0 to 1000000"
        case .temperature: "a number from 0 to 2"
        case .modelPrices: "a list of model=price, each model once, such as gpt-4o=0.0025/0.01/0.00125"
        case .modelInfo: "facts of models such as gpt-x=context:128000,output:16384,tools:false;other=context:32000"
        case .replacements: "a list of model:other, each model once, separated by commas"
        case .rate: "a number from 0.001 to 1000000 with at most three decimals"
        case .modelWeights: "a list of model=number, each model once, separated by commas"
        case .headers: "header lines such as X-Team: a; X-Title: b"
        case .limits: "off or limits such as 60/minute;2000/day"
        case .modelLimits: "off or limits of models such as gpt-4o*=10/minute;100/day,o3-mini=5/minute"
        case .price:
            "a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals"
        case .dollars: "an amount of dollars such as 0.00001, up to 1000 dollars, with at most twelve decimals"
        case .toolFees:
            "a list of tool=dollars, each tool once, such as web_search=0.01; the tools are "
                + HostedTool.allCases.map { "\($0.name)" }.joined(separator: ", ")
        case .networks: "a list of networks such as 10.0.0.0/8"
        case .host: "the name or address of a host"
        case .servers: "a list of servers such as cache-1:11211,cache-2:11211"
        case .linkedPort: "a number from 1 to 65535"
        case .published: "a port such as 5001, or address:port such as 127.0.0.1:5001"
        case .listener: "address:port such as 127.0.0.1:5002"
        }
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
        default: expectation
        }
    }

    /// The unit and the allowed values of a setting of this type, for the help text; empty if the setting's own text
    /// has them.
    var unit: String {
        switch self {
        case .number(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .megabytes(let range): "MB, \(range.lowerBound) to \(range.upperBound)"
        case .duration: "500ms, 30s, 5m, 2h, or seconds"
        case .boolean: "true or false"
        case .booleanOr(let word): "true, false or \(word)"
        case .choice(let words): words.joined(separator: ", ")
        case .options(let words): "off, or of \(words.joined(separator: ", "))"
        case .list, .models, .names, .weights, .modelWeights, .networks, .servers: "comma list"
        case .weight: "0 to 1000000"
        case .temperature: "0 to 2"
        case .modelPrices: "USD, as model=price"
        case .modelInfo: "model=word:value,word:value; by lines or semicolons"
        case .replacements: "comma list of model:other"
        case .rate: "0.001 to 1000000 a second"
        case .headers: "by lines or semicolons"
        case .limits: "60/minute;2000/day, off"
        case .modelLimits: "pattern=limits,pattern=limits; off"
        case .price: "USD: prompt/completion/cached, per million, list, reported, free"
        case .toolFees: "USD, as tool=price"
        case .dollars: "USD"
        case .linkedPort: "1 to 65535"
        case .published: "5001, 127.0.0.1:5001"
        case .listener: "127.0.0.1:5002"
        case .tokens: "comma or line list"
        case .origins: "* or comma list"
        case .password: "at least \(Password.minCharacters) characters"
        case .timeZone: "UTC, Europe/Berlin"
        case .patterns: "comma list; prefix*; all"
        case .text, .address, .url, .document, .proxy, .database, .file, .path, .label, .model, .token, .phrase, .host,
            .moment:
            ""
        }
    }

    /// The largest length of a key in settings and requests, in bytes.
    static let tokenLimit = 512
}
