/// The arguments of `relay check`.
struct CheckOptions: Equatable {
    /// Whether to ask vendors, memcached, the database and the proxy, too.
    private(set) var asks = false
    /// Whether warnings make the check fail.
    private(set) var isStrict = false
    /// The file of settings to check; nil for the file that `relay serve` reads.
    private(set) var file: String?

    /// Parses the arguments after `check`; nil if they are invalid.
    init?(_ words: ArraySlice<String>) {
        for word in words {
            switch word {
            case "--ask": asks = true
            case "--strict": isStrict = true
            case _ where file == nil && !word.hasPrefix("-"): file = word
            default: return nil
            }
        }
    }
}
