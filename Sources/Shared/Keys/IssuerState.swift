import Engine

/// The keys of one issuer, and when it may be asked for them again.
struct IssuerState {
    enum Step {
        case key(VerifyingKey)
        case unknown
        case unavailable(seconds: Int)
        /// The issuer is being asked; `begins` if this request has to ask.
        case reading(begins: Bool)
    }

    private var keys: [IssuedKey] = []
    private var freshUntil = LoopTime.distantPast
    /// The time before which the issuer is not asked again.
    private var nextAt = LoopTime.distantPast
    private(set) var isReading = false
    /// The requests that wait until the issuer has been asked.
    var waiting: [UnsafeContinuation<Void, Never>] = []

    private static let freshNanoseconds: UInt64 = 3_600_000_000_000
    /// The shortest time between two questions to an issuer.
    private static let pauseNanoseconds: UInt64 = 60_000_000_000
    /// The same while no key of the issuer is known.
    private static let firstPauseNanoseconds: UInt64 = 10_000_000_000

    /// Returns the next step of a request that needs the key of this name.
    mutating func step(_ name: IssuedKey.Name, at now: LoopTime) -> Step {
        let key = keys.named(name)
        if let key, now < freshUntil { return .key(key) }
        if !isReading, now < nextAt {
            // The issuer may be unavailable: its known keys stay in use.
            if let key { return .key(key) }
            if !keys.isEmpty { return .unknown }
            return .unavailable(seconds: (nextAt.milliseconds(since: now) + 999) / 1_000)
        }
        defer { isReading = true }
        return .reading(begins: !isReading)
    }

    /// Stores what was read, unless that is nothing. Returns the requests that waited.
    mutating func store(_ read: [IssuedKey], at now: LoopTime) -> [UnsafeContinuation<Void, Never>] {
        if !read.isEmpty { (keys, freshUntil) = (read, now + Self.freshNanoseconds) }
        nextAt = now + (keys.isEmpty ? Self.firstPauseNanoseconds : Self.pauseNanoseconds)
        defer { (isReading, waiting) = (false, []) }
        return waiting
    }
}
