/// The admin sessions that were ended by a logout.
///
/// Sessions with a login at the time `notBefore` or earlier count as ended.
struct EndedSessions: Sendable, Equatable {
    private struct Times: Sendable, Equatable {
        let issuedAt: Int
        let expiresAt: Int
    }

    private var sessions: [AdminSession.ID: Times] = [:]
    /// The login time up to which all sessions count as ended, in milliseconds since 1970. It rises when the list is
    /// full.
    private(set) var notBefore = 0

    /// The largest number of ended sessions in this list.
    static let bound = 10_000
    /// The time for which the list keeps a session after its end, in milliseconds.
    static let graceMilliseconds = 86_400_000

    init() {}

    var count: Int { sessions.count }

    func contains(_ session: AdminSession) -> Bool { session.issuedAt <= notBefore || sessions[session.id] != nil }

    mutating func add(_ session: AdminSession, at now: Int) {
        sessions[session.id] = Times(issuedAt: session.issuedAt, expiresAt: session.expiresAt)
        shrink(at: now)
    }

    /// Adds the sessions of another list to this list.
    mutating func merge(_ other: EndedSessions, at now: Int) {
        sessions.merge(other.sessions) { own, _ in own }
        // A login time is never in the future, even if a damaged list says so.
        notBefore = max(notBefore, min(other.notBefore, now))
        shrink(at: now)
    }

    private mutating func shrink(at now: Int) {
        // A clock that was ahead goes back later, and the session must stay ended.
        sessions = sessions.filter {
            $0.value.expiresAt > now - Self.graceMilliseconds && $0.value.issuedAt > notBefore
        }
        guard sessions.count > Self.bound else { return }
        let times = sessions.values.map(\.issuedAt).sorted()
        notBefore = times[sessions.count - Self.bound - 1]
        sessions = sessions.filter { $0.value.issuedAt > notBefore }
    }
}

extension EndedSessions {
    private static let format: UInt8 = 1
    private static let entryBytes = 32
    private static let headBytes = 9
    static let encodedBound = headBytes + bound * entryBytes

    func encoded() -> [UInt8] {
        var bytes = [Self.format]
        bytes.reserveCapacity(Self.headBytes + sessions.count * Self.entryBytes)
        func append(_ number: UInt64) { withUnsafeBytes(of: number.bigEndian) { bytes += $0 } }
        append(UInt64(clamping: notBefore))
        for (id, times) in sessions {
            append(id.high)
            append(id.low)
            append(UInt64(clamping: times.issuedAt))
            append(UInt64(clamping: times.expiresAt))
        }
        return bytes
    }

    /// Decodes a list of ended sessions. Returns nil if the bytes are damaged or have another format.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headBytes, bytes.count <= Self.encodedBound, bytes[0] == Self.format,
            (bytes.count - Self.headBytes) % Self.entryBytes == 0
        else { return nil }
        func number(_ offset: Int) -> UInt64 { bytes[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        notBefore = Int(clamping: number(1))
        for offset in stride(from: Self.headBytes, to: bytes.count, by: Self.entryBytes) {
            let id = AdminSession.ID(high: number(offset), low: number(offset + 8))
            sessions[id] = Times(
                issuedAt: Int(clamping: number(offset + 16)),
                expiresAt: Int(clamping: number(offset + 24))
            )
        }
    }
}
