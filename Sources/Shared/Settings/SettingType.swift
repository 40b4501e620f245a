import Engine
import Limits

/// The type of a setting: how its texts are described and parsed, and which values are allowed.
package struct SettingType: Sendable {
    /// The description of valid values for an error message, such as `a number from 0 to 2`.
    let expectation: String
    /// The unit and the allowed values of a setting of this type, for the help text; empty if the setting's own text
    /// has them.
    let unit: String
    /// The description of valid values in the table of settings (`SettingsTable.reference`), whose heading explains its
    /// words.
    let reference: String
    /// Parses a text that is not empty; nil if it is invalid.
    let value: @Sendable (String) -> (any Sendable)?
    /// Returns what to write in place of an invalid text, or why it is invalid; nil if nothing specific is known.
    private var ownReason: @Sendable (String) -> String? = { _ in nil }

    init<Value: Sendable>(
        _ expectation: String,
        unit: String = "",
        reference: String? = nil,
        _ value: @escaping @Sendable (String) -> Value?
    ) {
        self.expectation = expectation
        self.unit = unit
        self.reference = reference ?? expectation
        self.value = value
    }

    /// Creates the type of texts that are their own values.
    private init(
        _ expectation: String,
        unit: String = "",
        reference: String? = nil,
        if isValid: @escaping @Sendable (String) -> Bool
    ) {
        self.init(expectation, unit: unit, reference: reference) { isValid($0) ? $0 : nil }
    }

    /// Returns the type of lists with at least one item.
    private static func commaList<Item: Sendable>(
        of expectation: String,
        unit: String = "comma list",
        reference: String? = nil,
        _ item: @escaping @Sendable (String) -> Item?
    ) -> SettingType {
        SettingType(expectation, unit: unit, reference: reference) { items(of: $0)?.collect(item) }
    }

    private func explained(by reason: @escaping @Sendable (String) -> String?) -> SettingType {
        var type = self
        type.ownReason = reason
        return type
    }

    /// Returns a specific reason why a text is invalid; nil if only the general description, `expectation`, applies.
    func reason(_ text: String) -> String? { Self.adviceOnLookalikes(text) ?? ownReason(text) }

    /// The largest length of a key in settings and requests, in bytes.
    static let tokenLimit = 512
}

/// Types with the same description have the same values.
extension SettingType: Equatable {
    package static func == (one: SettingType, other: SettingType) -> Bool {
        (one.expectation, one.unit) == (other.expectation, other.unit)
    }
}

/// The types of settings. Upper and lower case of words are equal.
extension SettingType {
    package static let text = SettingType("text") { $0 }

    static func number(_ range: ClosedRange<Int>) -> SettingType {
        let words = "\(range.lowerBound) to \(range.upperBound)"
        return SettingType("a number from \(words)", unit: words, reference: words) { wholeNumber($0, in: range) }
    }

    /// A number of megabytes. The parsed value is in bytes; one megabyte has 1,048,576 bytes.
    static func megabytes(_ range: ClosedRange<Int>) -> SettingType {
        let words = "\(range.lowerBound) to \(range.upperBound)"
        return SettingType("a number from \(words)", unit: "MB, \(words)", reference: words) {
            wholeNumber($0, in: range).map { $0 * 1_048_576 }
        }
    }

    static func duration(_ range: ClosedRange<Duration>) -> SettingType {
        let (least, most) = (range.lowerBound.settingText, range.upperBound.settingText)
        let units = "500ms, 30s, 5m, 2h, or seconds"
        return SettingType(
            "a time from \(least) to \(most) (\(units))",
            unit: units,
            reference: "a time, \(least) to \(most)"
        ) {
            Duration(setting: $0, in: range)
        }
    }

    static let boolean = SettingType("true or false", unit: "true or false", truth)

    /// `true` or `false`, or this word.
    static func booleanOr(_ word: String) -> SettingType {
        SettingType("true, false or \(word)", unit: "true, false or \(word)") { text -> (any Sendable)? in
            truth(text).map { $0 as any Sendable } ?? (text.lowercased() == word ? word : nil)
        }
    }

    /// A word from this list.
    static func choice(_ words: [String]) -> SettingType {
        let all = words.joined(separator: ", ")
        return SettingType(words.count == 1 ? all : "one of \(all)", unit: all, reference: all) { text in
            words.first { $0 == text.lowercased() }
        }
    }

    /// The raw value of a case of `type`.
    static func choice<Word: CaseIterable & RawRepresentable<String>>(of type: Word.Type) -> SettingType {
        .choice(type.allCases.map(\.rawValue))
    }

    /// A comma-separated list of raw values of cases of `type`, or `off` for none.
    static func options<Word: CaseIterable & RawRepresentable<String>>(of type: Word.Type) -> SettingType {
        let words = type.allCases.map(\.rawValue)
        let all = words.joined(separator: ", ")
        return SettingType("off, or a list of \(all) separated by commas", unit: "off, or of \(all)") {
            wordList($0, of: words)
        }
        .explained(by: adviceOnCommas)
    }

    /// An IP address of this machine on which to listen, or `localhost`.
    static let address = SettingType(
        "an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine",
        listenAddress
    )
    .explained { text in
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, listenAddress(String(parts[0])) != nil else { return nil }
        return "set the port separately: HOST=\(parts[0]) and PORT=\(parts[1])"
    }
    /// An http or https URL without credentials, query and fragment. Parsing removes a slash at its end.
    static let url = SettingType("a URL such as https://host or https://host/path", reference: "a URL") {
        isURLList($0) ? nil : WebAddress($0, schemes: ["http", "https"], mayHoldCredentials: false)?.text
    }
    .explained { text in
        if isURLList(text) { return "it has two URLs; write one" }
        return text.contains("?") ? "a base URL has no query; remove the part from ? on" : nil
    }
    /// The http or https URL of a document, unchanged. It may contain credentials and a query.
    static let document = SettingType("a URL such as https://host/path?query", if: isDocument)
    /// The http, https or socks5 URL of a proxy. It may contain credentials.
    static let proxy = SettingType("a proxy's URL such as http://host:3128") {
        WebAddress($0, schemes: ["http", "https", "socks5", "socks5h"], mayHoldCredentials: true)?.text
    }
    static let database = SettingType(
        "a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the password",
        if: isDatabase
    )
    .explained { text in
        if text.hasPrefix("sqlite") { return "for SQLite set DATA_DIR to a folder in its place" }
        let scheme = text.prefix { $0 != ":" }
        guard scheme.hasPrefix("postgres"), scheme.contains("+") else { return nil }
        return "write postgres:// in place of \(scheme)://"
    }
    static let origins = commaList(
        of: "* or a list of origins such as https://chat.example.org",
        unit: "* or comma list",
        origin
    )
    .explained { text in
        let isEnded = text.split(separator: ",").contains { $0.trimmed.hasSuffix("/") }
        return isEnded ? "write an origin without the / at its end" : adviceOnCommas(text)
    }
    static let file = SettingType("a file that can be read") { $0 }
    static let path = SettingType("a path without control characters", reference: "a path") {
        $0.hasControl || isOfHome($0) ? nil : $0
    }
    .explained { isOfHome($0) ? adviceOnHome : nil }
    static let list = commaList(of: "a list of names separated by commas", reference: "names") { $0 }
    /// A list of names that have no spaces.
    static let words = commaList(of: "a list of names without spaces, separated by commas", reference: "names") {
        $0.utf8.contains { $0 <= 32 || $0 == UInt8(ascii: ";") } ? nil : $0
    }
    .explained { adviceOnCommas($0) ?? "write a comma between two names" }
    static let patterns = commaList(
        of: "a list of model names, prefix* or all, separated by commas",
        unit: "comma list; prefix*; all",
        reference: "patterns"
    ) { $0.contains(";") ? nil : ModelPattern($0) }
    .explained { adviceOnNames($0) }
    /// A comma-separated list of models, each as `name` or `alias=upstream` (the callers' name and the vendor's name).
    static let models = SettingType(
        "a list of name or alias=upstream, each alias once, separated by commas",
        unit: "comma list",
        modelNames
    )
    .explained { adviceOnNames($0, areWhole: true) }
    static let model = SettingType("the name of a model", reference: "a model", if: ModelName.isName)
    /// A comma-separated list of model names. Repeated names are removed.
    static let names = SettingType("a list of model names separated by commas", unit: "comma list", reference: "models")
    {
        items(of: $0)?.collect { ModelName.isName($0) ? $0 : nil }?.withoutRepeats
    }
    .explained { adviceOnNames($0) }
    static let label = SettingType("1 to 64 letters, digits, dots, dashes and underscores") {
        (1...64).contains($0.utf8.count) && $0.utf8.allSatisfy(isOfName) ? $0 : nil
    }
    /// A caller's key or a key for a vendor.
    static let token = SettingType("1 to \(tokenLimit) visible ASCII characters", reference: "a word", if: isToken)
        .explained { reason(ofKeys: [$0], "remove it") }
    /// A list of keys, separated by commas or line ends.
    static let tokens = commaList(
        of: "a list of keys, each of 1 to \(tokenLimit) visible ASCII characters",
        unit: "comma or line list",
        reference: "words"
    ) { isToken($0) ? $0 : nil }
    .explained { reason(ofKeys: items(of: $0) ?? [], "write a comma between two keys") }
    /// A secret text without control characters, such as the key of an encrypted document.
    static let phrase = SettingType("1 to \(tokenLimit) bytes of text") {
        (1...tokenLimit).contains($0.utf8.count) && !$0.hasControl ? $0 : nil
    }
    /// A password that a person types.
    static let password = SettingType(
        "a password of \(Password.minCharacters) to \(Password.maxCharacters) characters that is hard to guess",
        unit: "at least \(Password.minCharacters) characters",
        if: Password.isGood
    )
    .explained { _ in "`openssl rand -hex 24` makes one" }
    static let moment = SettingType(
        "a day such as 2027-01-31, or a time with its zone such as 2027-01-31T18:00:00+01:00"
    ) { DateTime.milliseconds($0) != nil || $0.withBytes { Day($0) } != nil ? $0 : nil }
    static let timeZone = SettingType(
        "UTC or a time zone of this machine such as Europe/Berlin",
        unit: "UTC, Europe/Berlin",
        if: isZoneName
    )
    static let weights = commaList(of: "a list of numbers above 0 separated by commas", keyWeight)
        .explained(by: adviceOnCommas)
    static let weight = SettingType("a number from 0 to 1000000", unit: "0 to 1000000", anyWeight)
    static let temperature = SettingType("a number from 0 to 2", unit: "0 to 2") {
        anyWeight($0).flatMap { $0 <= 2 ? $0 : nil }
    }
    static let rate = SettingType(
        "a number from 0.001 to 1000000 with at most three decimals",
        unit: "0.001 to 1000000 a second",
        startRate
    )
    static let modelWeights = SettingType(
        "a list of model=number, each model once, separated by commas",
        unit: "comma list"
    ) { byModel($0, "=", anyWeight) }
    .explained(by: adviceOnCommas)
    static let modelInfo = SettingType(
        "facts of models such as gpt-x=context:128000,output:16384,tools:false;other=context:32000",
        unit: "model=word:value,word:value; by lines or semicolons"
    ) { try? ModelFacts.byModel($0) }
    .explained { text in
        do throws(ModelFacts.Mistake) { _ = try ModelFacts.byModel(text) } catch { return error.reason }
        return nil
    }
    static let replacements = SettingType(
        "a list of model:other, each model once, separated by commas",
        unit: "comma list of model:other"
    ) { byModel($0, ":") { ModelName.isName($0) ? $0 : nil } }
    static let headers = SettingType(
        "header lines such as X-Team: a; X-Title: b, without Host, Content-Type and others that the relay sets",
        unit: "by lines or semicolons",
        headerLines
    )
    static let limits = SettingType(
        "off or limits such as 60/minute;2000/day",
        unit: "60/minute;2000/day, off",
        reference: "limits"
    ) { try? Quota.list($0) }
    .explained { text in
        if let advice = adviceOnLimits(text, areOfModels: false) { return advice }
        do throws(Quota.Mistake) { _ = try Quota.list(text) } catch { return error.reason }
        return nil
    }
    static let modelLimits = SettingType(
        "off or limits of models such as gpt-4o*=10/minute;100/day,o3-mini=5/minute",
        unit: "pattern=limits,pattern=limits; off"
    ) { try? modelQuotas($0) }
    .explained { text in
        if let advice = adviceOnLimits(text, areOfModels: true) { return advice }
        do throws(Quota.Mistake) { _ = try modelQuotas(text) } catch { return error.reason }
        return nil
    }
    /// A price in dollars per 1000 tokens, such as `0.002`, or `0.001/0.004` for prompt and completion.
    static let price = SettingType(
        "a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals",
        unit: "USD: prompt/completion/cached, per million, list, reported, free",
        reference: "a [price](prices.md)"
    ) { Price($0) }
    .explained { text in
        if let advice = adviceOnDollars(text) { return advice }
        do throws(Price.Mistake) { _ = try Price(parsing: text) } catch { return error.reason }
        return nil
    }
    static let modelPrices = SettingType(
        "a list of model=price, each model once, such as gpt-4o=0.0025/0.01/0.00125",
        unit: "USD, as model=price",
        reference: "model=[price](prices.md), separated by commas"
    ) { try? Price.byModel(items(of: $0) ?? []) }
    .explained { text in
        if let advice = adviceOnDollars(text) ?? adviceOnCommas(text) { return advice }
        do throws(Price.Mistake) { _ = try Price.byModel(items(of: text) ?? []) } catch { return error.reason }
        return nil
    }
    static let dollars = SettingType(
        "an amount of dollars such as 0.00001, up to 1000 dollars, with at most twelve decimals",
        unit: "USD"
    ) { Cost(dollars: $0) }
    .explained(by: adviceOnDollars)
    static let toolFees = SettingType(
        "a list of tool=dollars, each tool once, such as web_search=0.01; the tools are "
            + HostedTool.allCases.map { "\($0.name)" }.joined(separator: ", "),
        unit: "USD, as tool=price"
    ) { ToolFees(items(of: $0) ?? []) }
    .explained(by: adviceOnCommas)
    static let networks = commaList(of: "a list of networks such as 10.0.0.0/8") { Network($0) }
        .explained(by: adviceOnCommas)
    static let host = SettingType("the name or address of a host", if: isHost)
        .explained { text in
            if text.contains("://") { return adviceOnScheme }
            guard let address = MemcachedAddress(text), text.contains(":") else { return nil }
            return """
                set the port separately: MEMCACHED_HOST=\(address.host) and MEMCACHED_PORT=\(address.port), or \
                MEMCACHED_SERVERS=\(address.text)
                """
        }
    static let servers = commaList(of: "a list of servers such as cache-1:11211,cache-2:11211") { MemcachedAddress($0) }
        .explained { $0.contains("://") ? adviceOnScheme : adviceOnCommas($0) }
    /// A port, or the port of a URL `tcp://host:port` that Docker sets.
    static let linkedPort = SettingType("a number from 1 to 65535", unit: "1 to 65535", portNumber)
    static let published = SettingType(
        "a port such as 5001, or address:port such as 127.0.0.1:5001",
        unit: "5001, 127.0.0.1:5001",
        if: isPublished
    )
    static let listener = SettingType("address:port such as 127.0.0.1:5002", unit: "127.0.0.1:5002") {
        isPublished($0) && $0.contains(":") ? $0 : nil
    }
}

extension String {
    /// Whether the text contains a control character of ASCII.
    fileprivate var hasControl: Bool { utf8.contains { $0 < 32 || $0 == 127 } }
}
