import Engine
import Limits
import Shared

/// A table of one caller's limits with the used units, read from memcached.
struct LimitTable: Report {
    /// The caller whose limits the table shows.
    enum Subject: Equatable {
        /// The NAME of a known caller, as in `KEY_<NAME>_TOKEN`; upper and lower case are equal.
        case name(String)
        /// A caller without a NAME: the caller's name in the log, or the key's SHA-256 in hexadecimal.
        case digest(String)
    }

    private struct Row {
        let model: String?
        let use: LimitUse
    }

    private let caller: String
    private let rows: [Row]
    /// A note below the table, which says that limits by address are missing; nil if limits count only by key.
    private let remark: String?

    /// Reads how much the caller has used of each limit from the counter store. Blocks.
    /// - Parameter amount: an amount to give back before, such as `3.20 usd`; nil for none.
    init(
        _ subject: Subject,
        _ settings: Settings,
        catalogues: Catalogues,
        givingBack amount: String? = nil
    ) throws(CommandFailure) {
        let caller = try Self.caller(subject, settings)
        self.caller = caller.name ?? ""
        let modelCatalog = settings.limits.byModel.isEmpty ? nil : ModelCatalog(settings, catalogues)
        let limits = LimitBook(settings).possibleLimits(of: caller, models: modelCatalog?.limitedModels ?? [])
        let by = settings.limits.identity
        var remark = by == .key ? nil : "RATE_LIMIT_BY=\(by.rawValue): limits that count by address are left out.\n"
        let made = try Self.asking("memcached") { () throws(StoreFailure) in
            try MemcachedCounters.store(settings.limits)
        }
        guard let store = made else { throw Self.noStore }
        let secret = settings.limits.storeSecret.map { StoreSecret($0) }
        let reader = LimitReader(store, slotSeconds: settings.limits.slotSeconds, secret: secret)
        let given = try amount.map { text throws(CommandFailure) in try Self.given(text, of: limits) }
        var isRecorded = true
        let hint = given == nil ? "" : "; the amount may have been given back: see what is used before you try again"
        let (uses, age) = try Self.asking("memcached \(store.servers.joined(separator: ", "))", hint: hint) {
            () throws(StoreFailure) in
            if let given {
                isRecorded = try Self.giveBack(given.units, of: given.limits, reader, settings)
            }
            return (try reader.read(limits.map(\.charge)), try reader.secondsSinceStart())
        }
        if !isRecorded {
            let hint = "after a restart of memcached, the caller's next request puts its use back"
            throw CommandFailure(text: "nothing was given back: no use of these limits is recorded; \(hint)")
        }
        if let age {
            remark =
                (remark ?? "") + "memcached started \(age) s ago: relays may still be putting back what they know.\n"
        }
        self.remark = remark
        rows = zip(limits, uses)
            .map { Row(model: $0.model, use: $1) }
            .filter { $0.model == nil || $0.use.isRecorded }
    }

    /// Returns the result of `work`. The error of its failure names the server, and ends with `hint`.
    private static func asking<Value>(
        _ server: String,
        hint: String = "",
        _ work: () throws(StoreFailure) -> Value
    ) throws(CommandFailure) -> Value {
        do throws(StoreFailure) {
            return try work()
        } catch {
            throw CommandFailure(text: "\(server): \(error.reason)\(hint)")
        }
    }

    /// Returns the units of the amount to give back, and the limits that count in its unit.
    private static func given(
        _ text: String,
        of limits: [LimitBook.PossibleLimit]
    ) throws(CommandFailure) -> (units: Int, limits: [LimitBook.PossibleLimit]) {
        guard let amount = Quota.amount(text), amount.unit.isKnownLate else {
            throw CommandFailure(text: "an amount to give back is a number with tokens, usd or credits, as in 3.20 usd")
        }
        let counting = limits.filter { $0.model == nil && $0.charge.limit.quota.unit == amount.unit }
        if counting.isEmpty {
            throw CommandFailure(text: "nothing was given back: the caller has no limit in \(amount.unit.rawValue)")
        }
        return (amount.units, counting)
    }

    /// Gives back units of the limits, and lets the relays know. Returns whether a limit has a record of its use.
    private static func giveBack(
        _ units: Int,
        of limits: [LimitBook.PossibleLimit],
        _ reader: LimitReader,
        _ settings: Settings
    ) throws(StoreFailure) -> Bool {
        var orders: [InstanceOrder] = []
        for limit in limits {
            let key = try reader.giveBack(units, of: limit.charge)
            if let key { orders.append(InstanceOrder(.giveBack, key)) }
        }
        if orders.isEmpty { return false }
        let scope = StoreScope(settings.limits.storeSecret, settings.keys)
        try InstanceBoard(name: "relay limits", in: scope).announce(orders) {
            (key: String, seconds: Int, change: ([UInt8]?) -> [UInt8]?) throws(StoreFailure) in
            try reader.update(key, expirySeconds: seconds, change)
        }
        return true
    }

    private static let noStore = CommandFailure(
        text: """
            limits are counted in the memory of each relay process, which this command cannot read; see them on the \
            admin page (ADMIN_PASSWORD), or send GET /v1/usage with the caller's key; with MEMCACHED_HOST they are \
            counted in memcached, where this command reads them
            """
    )

    /// Returns the caller that the arguments name. An error does not repeat the arguments.
    private static func caller(_ subject: Subject, _ settings: Settings) throws(CommandFailure) -> Caller {
        switch subject {
        case .name(let name):
            guard let known = settings.keys.named(name) else {
                let near = nearest(to: name.lowercased(), among: settings.keys.map(\.name))
                let hint = near.map { "; did you mean \($0)?" } ?? ""
                throw CommandFailure(text: "no KEY_<NAME>_TOKEN with this NAME is set\(hint)", isMistake: true)
            }
            guard !known.isOfAllMembers else {
                let text = "each member of this family has limits of its own; name a member, as \(known.name).NAME"
                throw CommandFailure(text: text, isMistake: true)
            }
            return Caller(known: known)
        case .digest(let text):
            guard let name = Digest.callerName(of: text) else {
                let text = "a digest has 16 characters, as `caller` in the log, or 64 hexadecimal digits (SHA-256)"
                throw CommandFailure(text: text, isMistake: true)
            }
            return Caller(passingOnKeyOf: name)
        }
    }

    func text(isColoured: Bool) -> String {
        var table = TextTable(["LIMIT", "OF", "USED", "LEFT", "ALL FREE IN"])
        table.rightAligned = [2, 3, 4]
        var colours: [Int: Int] = [:]
        for (index, row) in rows.enumerated() {
            let (use, quota) = (row.use, row.use.limit.quota)
            table.rows.append([
                use.limit.kind.name + ((use.limit.group ?? row.model).map { " \($0)" } ?? ""), quota.textWithUnit,
                quota.amount(use.used),
                quota.amount(use.left), use.used == 0 ? "" : durationText(microseconds: use.resetMicroseconds),
            ])
            colours[index] = Self.colour(use)
        }
        return "caller \(caller)\n" + table.text(isColoured: isColoured, colours: colours) + (remark ?? "")
    }

    /// Returns the ECMA-48 colour code of a limit's row; nil for no colour.
    private static func colour(_ use: LimitUse) -> Int? {
        if use.left == 0 { return 31 }
        return use.left < use.limit.quota.count / 5 ? 33 : nil
    }

    var json: JSONFragment {
        let limits = rows.map { row -> JSONFragment in
            let (use, quota) = (row.use, row.use.limit.quota)
            func amount(_ units: Int) -> JSONFragment { JSONFragment(stringLiteral: quota.amount(units)) }
            return #"""
                {"limit":\#(use.limit.kind.name),"model":\#(row.model),"unit":\#(quota.unit.rawValue),\#
                "of":\#(amount(quota.count)),"window_seconds":\#(use.limit.windowSeconds),"used":\#(amount(use.used)),\#
                "leased":\#(amount(use.leased)),"left":\#(amount(use.left)),"free_in_ms":\#(use.resetMicroseconds / 1_000)\#
                \#(member: "group", use.limit.group)}
                """#
        }
        return #"{"caller":\#(caller),"limits":\#(limits)}"#
    }
}
