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
        let names = modelCatalog.map { $0.allNames + $0.replacedNames } ?? []
        let limits = LimitBook(settings).possibleLimits(of: caller, models: names)
        var remark = settings.limits.identity == .key ? nil : Self.remarkOnAddresses(settings.limits.identity)
        do throws(StoreFailure) {
            guard let store = try MemcachedCounters.store(settings.limits) else { throw Self.noStore }
            let secret = settings.limits.storeSecret.map { StoreSecret($0) }
            let reader = LimitReader(store, slotSeconds: settings.limits.slotSeconds, secret: secret)
            if let amount {
                guard let amount = Quota.amount(amount), amount.unit.isKnownLate else { throw Self.noAmount }
                let counting = limits.filter { $0.model == nil && $0.charge.limit.quota.unit == amount.unit }
                if counting.isEmpty {
                    throw StoreFailure(
                        reason: "nothing was given back: the caller has no limit in \(amount.unit.rawValue)"
                    )
                }
                for limit in counting {
                    try reader.giveBack(amount.units, of: limit.charge)
                }
            }
            let uses = try reader.read(limits.map(\.charge))
            if let seconds = try reader.secondsSinceStart() {
                remark =
                    (remark ?? "")
                    + "memcached started \(seconds) s ago: relays may still be putting back what they know.\n"
            }
            self.remark = remark
            rows = zip(limits, uses)
                .map { Row(model: $0.model, use: $1) }
                .filter { $0.model == nil || $0.use.isRecorded }
        } catch {
            throw CommandFailure(text: error.reason)
        }
    }

    private static let noStore = StoreFailure(
        reason: """
            limits are counted in the memory of each relay process, which this command cannot read; see them on the \
            admin page (ADMIN_PASSWORD), or send GET /v1/usage with the caller's key; with MEMCACHED_HOST they are \
            counted in memcached, where this command reads them
            """
    )

    private static let noAmount = StoreFailure(
        reason: "an amount to give back is a number with tokens, usd or credits, as in 3.20 usd"
    )

    private static func remarkOnAddresses(_ identity: LimitSettings.Identity) -> String {
        "RATE_LIMIT_BY=\(identity.rawValue): limits that count by address are left out.\n"
    }

    /// Returns the caller that the arguments name. An error does not repeat the arguments.
    private static func caller(_ subject: Subject, _ settings: Settings) throws(CommandFailure) -> Caller {
        switch subject {
        case .name(let name):
            guard let known = settings.keys.named(name) else {
                throw CommandFailure(text: "no KEY_<NAME>_TOKEN with this NAME is set", isMistake: true)
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
        var table = TextTable("LIMIT", "OF", "USED", "LEFT", "ALL FREE IN")
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

    var json: String {
        let limits = rows.map { row -> JSONFragment in
            let (use, quota) = (row.use, row.use.limit.quota)
            func amount(_ units: Int) -> JSONFragment { JSONFragment(stringLiteral: quota.amount(units)) }
            return #"""
                {"limit":\#(use.limit.kind.name),"model":\#(row.model),"unit":\#(quota.unit.rawValue),\#
                "of":\#(amount(quota.count)),"window_seconds":\#(quota.windowSeconds),"used":\#(amount(use.used)),\#
                "leased":\#(amount(use.leased)),"left":\#(amount(use.left)),"free_in_ms":\#(use.resetMicroseconds / 1_000)\#
                \#(member: "group", use.limit.group)}
                """#
        }
        return (#"{"caller":\#(caller),"limits":\#(limits)}"# as JSONFragment).text + "\n"
    }
}
