import Engine
import Limits
import Shared
import Upstream
import UsageRecords

/// Handles GET /admin/limits: lists the limits of one caller, or of known and busy callers.
///
/// The limits that count all callers together are on the first page, once; those of a group beside its first caller.
func listLimits(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let page = try fields.number("page", 1...100_000) ?? 1
    var callers: [Caller]
    if let name = fields["caller"] {
        callers = (try limitedCaller(name, visit)).map { [$0] } ?? []
    } else {
        callers = visit.gateway.settings.keys.single.map { Caller(known: $0) }
        callers += await busiestCallers(visit)
    }
    let (total, first) = (callers.count, (page - 1) * LimitStates.maxCallers)
    callers = Array(callers.dropFirst(first).prefix(LimitStates.maxCallers))
    let states = try await LimitStates(of: callers, visit.gateway)
    visit.send(
        states.all.filter { page == 1 || !$0.isOfAll }.map(JSONFragment.init(limit:)),
        total: total,
        [("shared", states.isOfStore ? "true" : "false")]
    )
}

extension JSONFragment {
    init(limit state: LimitStates.State) {
        let quota = state.use.limit.quota
        self = #"""
            {"id":\#(state.id),"caller":\#(state.caller),"limit":\#(state.text),"model":\#(state.model),\#
            "unit":\#(quota.unit.rawValue),"quota":\#(quota.textWithUnit),"used":\#(state.used),\#
            "left":\#(state.left),"resets_at":\#(state.resetsAt),"waiting":\#(state.waiting)\#
            \#(member: "group", state.use.limit.group)}
            """#
    }
}

/// Returns the caller with this key name or key digest, whose limits an operator asks for; nil if `name` is neither.
///
/// The digest can have the short form that the log shows.
private func limitedCaller(_ name: String, _ visit: AdminVisit) throws(APIError) -> Caller? {
    guard name.utf8.count <= 256 else { throw .value("caller", "must have at most 256 bytes") }
    if let key = visit.gateway.settings.keys.named(name), key.name == name.lowercased() {
        guard !key.isOfAllMembers else {
            throw APIError(404, "Each member of '\(name)' has limits of its own: name a member, as \(name).NAME.")
        }
        return Caller(known: key)
    }
    return Digest.callerName(of: name).map { Caller(passingOnKeyOf: $0) }
}

/// Returns today's callers with passthrough keys and members of families, the busiest first.
private func busiestCallers(_ visit: AdminVisit) async -> [Caller] {
    guard let reader = visit.gateway.usage.reader else { return [] }
    let today = reader.zone.today
    let query = UsageQuery(by: [.caller], from: today, to: today)
    guard let table = try? await reader.usage(query, on: visit.gateway.loop) else { return [] }
    let keys = visit.gateway.settings.keys
    let known = Set(keys.map(\.name))
    return table.rows
        .sorted { $0.figures.requests > $1.figures.requests }
        .compactMap { row in (row.values.first ?? nil).flatMap { known.contains($0) ? nil : $0 } }
        .compactMap { name in
            if let key = keys.named(name), key.name == name { return Caller(known: key) }
            return Digest.callerName(of: name) == name ? Caller(passingOnKeyOf: name) : nil
        }
        .prefix(LimitStates.maxCallers)
        .map(\.self)
}

/// Handles POST /admin/limits/reset: resets the usage of one limit to 0, of one caller or of all callers together.
func resetLimit(_ visit: AdminVisit) async throws(APIError) {
    let gateway = visit.gateway
    let (found, name, _) = try await limit(visit)
    let id = LimitStates.id(found)
    guard found.charge.limit.quota.unit != .concurrent else {
        throw APIError(400, "A limit of concurrent requests cannot be reset: a slot is released when its request ends.")
    }
    let key: String?
    do throws(StoreFailure) {
        key = try await gateway.limiter.reset(found.charge, in: visit.admin.shared, on: gateway.loop)
    } catch {
        throw .storeUnavailable
    }
    if let key { visit.admin.board.add(InstanceOrder(.reset, key)) }
    visit.record("reset limit", "\(name ?? "all callers") \(id)")
    visit.send("Limit reset", data: #"{"all_instances":\#(key != nil)}"#)
}

/// Handles POST /admin/limits/give-back: gives back an amount of one limit that was counted wrongly.
func giveBack(_ visit: AdminVisit) async throws(APIError) {
    let gateway = visit.gateway
    let (found, name, wanted) = try await limit(visit)
    guard let wanted else { throw .missing("amount") }
    guard let amount = Quota.amount(wanted), amount.unit == found.charge.limit.quota.unit, amount.unit.isKnownLate
    else {
        throw .value(
            "amount",
            "must be an amount in the limit's unit, as 3.20 usd; only tokens, usd and credits are given back"
        )
    }
    let given: (units: Int, key: String?)
    do throws(StoreFailure) {
        given = try await gateway.limiter
            .giveBack(amount.units, of: found.charge, in: visit.admin.shared, on: gateway.loop)
    } catch {
        throw .storeUnavailable
    }
    guard given.units > 0 else {
        let reason = "Nothing was given back: no use of this limit is recorded."
        throw APIError(404, "\(reason) After a restart of the counter store, try again in a few seconds.")
    }
    if let key = given.key { visit.admin.board.add(InstanceOrder(.giveBack, key)) }
    let text = "\(found.charge.limit.quota.amount(given.units)) \(amount.unit.rawValue)"
    visit.record("give back", "\(text) of \(name ?? "all callers") \(LimitStates.id(found))")
    visit.send("Amount given back", data: #"{"amount":\#(text),"all_instances":\#(visit.admin.shared != nil)}"#)
}

/// Reads the body of a change of one limit. Returns the limit, the caller's name (nil for all callers together) and the
/// amount.
private func limit(
    _ visit: AdminVisit
) async throws(APIError) -> (LimitBook.PossibleLimit, name: String?, amount: String?) {
    let (name, id, amount) = try await visit.body { (root) throws(APIError) in
        guard let id = try root.string("id", "body") else { throw .missing("id") }
        return (try root.string("caller", "body"), id, try root.string("amount", "body"))
    }
    let found = try possibleLimits(of: name, visit).first { LimitStates.id($0) == id }
    guard let found else { throw try noSuchLimit(id, of: name, visit) }
    return (found, name, amount)
}

/// Returns the limits of the caller with this name; without a name those that count all callers or a group together.
private func possibleLimits(of name: String?, _ visit: AdminVisit) throws(APIError) -> [LimitBook.PossibleLimit] {
    guard let name else {
        let ofCallers = visit.gateway.settings.keys.filter { !$0.groups.isEmpty }
            .flatMap { LimitStates.possibleLimits(of: Caller(known: $0), visit.gateway) }
        return visit.gateway.limits.limitsOfAll + ofCallers.filter { $0.charge.limit.group != nil }
    }
    let limits = try limitedCaller(name, visit).map { LimitStates.possibleLimits(of: $0, visit.gateway) } ?? []
    return limits.filter { $0.charge.limit.group == nil }
}

/// Returns the error about an id that names no limit of the caller, or without a caller's name none that several share.
private func noSuchLimit(_ id: String, of name: String?, _ visit: AdminVisit) throws(APIError) -> APIError {
    guard name != nil else {
        let callers = visit.gateway.settings.keys.map { Caller(known: $0) } + [Caller(passingOnKeyOf: "")]
        let isOfCallers = callers.lazy.flatMap { LimitStates.possibleLimits(of: $0, visit.gateway) }
            .contains { LimitStates.id($0) == id }
        return isOfCallers ? .missing("caller") : APIError(404, "No limit has this id.")
    }
    let isShared = try possibleLimits(of: nil, visit).contains { LimitStates.id($0) == id }
    return isShared
        ? APIError(400, "This limit counts several callers together. To change it for all of them, leave out 'caller'.")
        : APIError(404, "The caller has no limit of this id.")
}

extension APIError {
    static var storeUnavailable: APIError {
        let reason = "The counter store did not respond, so that it is unknown whether the limit was changed."
        return APIError(503, "\(reason) Look at what is used of it before you try again.")
    }
}
