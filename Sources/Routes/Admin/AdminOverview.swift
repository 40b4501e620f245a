import Engine
import Limits
import Shared
import Synchronization
import Upstream
import UsageRecords

/// Handles GET /admin/overview: sends the overview for the admin page.
func showOverview(_ visit: AdminVisit) async throws(APIError) { visit.send(data: try await overview(visit)) }

/// Handles GET /admin/live: streams an event `overview` every two seconds until the admin session ends.
func streamOverview(_ visit: AdminVisit) async throws(APIError) {
    let (admin, loop, exchange) = (visit.admin, visit.gateway.loop, visit.exchange)
    let open = admin.streams.add(1, ordering: .relaxed).newValue
    defer { admin.streams.subtract(1, ordering: .relaxed) }
    guard open <= maxLiveStreams else {
        let text = "\(maxLiveStreams) live streams are open already. Close one, or read /admin/overview."
        throw APIError(429, text, retryAfterSeconds: 10)
    }
    var first: JSONFragment? = try await overview(visit)
    exchange.beginEvents()
    while !Task.isCancelled, visit.request.method != .head, isStillOpen(visit) {
        var next = first.take()
        if next == nil { next = try? await overview(visit) }
        if let data = next {
            var event = ByteBuffer("event: overview\ndata: ")
            event.json(#"{"status":0,"msg":"","data":\#(data),"instance":\#(admin.instance)}"#)
            event.append("\n\n")
            exchange.writer.write(event)
        }
        if exchange.writer.isFull { await exchange.writer.drained() }
        await loop.sleep(nanoseconds: liveNanoseconds)
    }
    exchange.writer.end()
}

private let maxLiveStreams = 32
private let liveNanoseconds: UInt64 = 2_000_000_000

/// Returns whether the stream of overviews should stay open.
private func isStillOpen(_ visit: AdminVisit) -> Bool {
    !visit.gateway.process.isDraining.load(ordering: .relaxed)
        && operatorSession(visit.request, visit.admin.sessions) != nil
}

/// Returns the overview for the admin page. The overview can be up to 1.5 seconds old.
private func overview(_ visit: AdminVisit) async throws(APIError) -> JSONFragment {
    let now = visit.gateway.loop.now
    if let known = visit.admin.overview.withLock({ $0 }), now.milliseconds(since: known.madeAt) < keptMilliseconds {
        return known.data
    }
    let data = try await makeOverview(visit)
    visit.admin.overview.withLock { $0 = AdminState.Overview(madeAt: now, data: data) }
    return data
}

private let keptMilliseconds = 1_500
private let nearestLimits = 10

private func makeOverview(_ visit: AdminVisit) async throws(APIError) -> JSONFragment {
    let gateway = visit.gateway
    let reader = try recordReader(visit)
    let usage = try await visit.read { (loop) async throws(UsageFailure) in try await reader.overview(on: loop) }
    let providers = gateway.settings.providers.enumerated().map { index, provider -> JSONFragment in
        let models = provider.models.isEmpty ? [""] : provider.models.map(\.upstream)
        let states = models.map { gateway.registry.state(of: index, model: $0) }
        let bad = states.first { $0.text(at: gateway.loop.now) != "ok" } ?? states[0]
        return bad.summary(of: provider.name, at: gateway.loop.now)
    }
    let limits = try await nearest(visit)
    let running = await gateway.process.running.all(on: gateway.loop)
    let firstByte = gateway.process.figures.withLock { $0 }?.figures().firstByte
    let instances = instanceRows(visit)
    return #"""
        {"minutes":\#(usage.minutes, each: {
            #"""
            {"time":\#($0.startMilliseconds / 1_000),"requests":\#($0.counts.requests),"errors":\#($0.counts.errors),\#
            "failures":\#($0.counts.failures),"refusals":\#($0.counts.refusals),\#
            "budgets":\#($0.counts.budgets)}
            """#
        }),"ttfb_ms":{"p50":\#(firstByte?.p50),"p95":\#(firstByte?.p95)},\#
        "running":\#(running.count),"waiting":\#(running.count { $0.wait != nil }),\#
        "today":\#(day: usage.today),"yesterday":\#(day: usage.yesterday),"providers":\#(providers),\#
        "limits":\#(limits),"instances":\#(instances)\#
        \#(member: "partial", usage.isPartial ? true : nil)}
        """#
}

/// Returns the limits of known callers that are closest to being reached, at most ten.
private func nearest(_ visit: AdminVisit) async throws(APIError) -> [JSONFragment] {
    let callers = visit.gateway.settings.keys.single.prefix(LimitStates.maxCallers).map { Caller(known: $0) }
    let states = try await LimitStates(of: callers, visit.gateway)
    return states.all.filter { $0.use.used > 0 }.sorted { $0.share > $1.share }.prefix(nearestLimits).map(
        JSONFragment.init(limit:)
    )
}

extension JSONFragment.StringInterpolation {
    fileprivate mutating func appendInterpolation(day figures: UsageFigures) {
        let fragment: JSONFragment = #"""
            {"requests":\#(figures.requests),"prompt_tokens":\#(figures.promptTokens),\#
            "completion_tokens":\#(figures.completionTokens),"cost":\#(number: figures.dollars)\#
            \#(members: figures.details)}
            """#
        appendInterpolation(fragment)
    }
}
