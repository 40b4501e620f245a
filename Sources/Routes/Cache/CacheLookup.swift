import Calls
import Engine
import Limits
import Shared
import Upstream

/// One request's part in the cache: the search for its answer, and the keeping of the one that it gets.
///
/// `@unchecked`: used on its request's loop only.
final class CacheLookup: CachePart, @unchecked Sendable {
    let cache: AnswerCache
    private(set) var state = CacheState.off
    /// The vendor's name of the model that made the answer, once it was found.
    private(set) var servedModel: String?
    private let body: Digest
    /// The request has it, and ends with it.
    unowned let exchange: Exchange
    /// Nil: the answer is not kept.
    private var key: AnswerKey?
    private var lead: FlightLead?
    /// The part of the budget for an answer that is gathered.
    private var hold: MemoryHold?

    /// - Parameter body: see `RequestDigest`.
    init(_ cache: AnswerCache, _ body: Digest, _ exchange: Exchange) {
        self.cache = cache
        self.body = body
        self.exchange = exchange
    }

    private var loop: EventLoop { exchange.gateway.loop }

    // MARK: Finding

    /// The answer to the same request, if there is one, or another is about to get it. The request was admitted.
    ///
    /// - Parameters:
    ///   - model: as it was asked for.
    ///   - name: that serves it.
    ///   - wait: for another request's answer, until then.
    func find(
        _ model: String,
        servedBy name: String,
        isStreamed: Bool,
        _ wait: (FlightSeat, LoopTime) async -> FlightSeat.Outcome
    ) async throws(APIError) -> StoredAnswer? {
        guard cache.settings.models.match(model), let key = key(name, isStreamed: isStreamed) else { return nil }
        self.key = key
        state = .miss
        guard !exchange.request.wantsNewAnswer else {
            cache.count(isHit: false)
            return nil
        }
        var found = await cache.answer(key, on: loop)
        if found == nil, cache.settings.coalesces { found = try await others(key, wait) }
        guard let found, let stored = StoredAnswer(found) else {
            cache.count(isHit: false)
            return nil
        }
        cache.count(isHit: true)
        note(stored)
        return stored
    }

    /// The answer that another request is about to get; nil: this one asks.
    private func others(
        _ key: AnswerKey,
        _ wait: (FlightSeat, LoopTime) async -> FlightSeat.Outcome
    ) async throws(APIError) -> Body? {
        switch cache.shelf.flights.join(key, on: loop) {
        case .full: return nil
        case .leads(let lead):
            // The last one may have ended in between.
            if let found = cache.answerAtOnce(key, on: loop) {
                lead.end(with: .answer(found))
                return found
            }
            self.lead = lead
            return nil
        case .waits(let seat):
            let time = exchange.gateway.fallbackNanoseconds
            switch await wait(seat, loop.now + time) {
            case .answer(let found):
                cache.countCoalesced()
                return found
            case .leads(let lead): self.lead = lead
            case .alone: break
            case .left: throw .clientLeft
            case .late:
                let cause = "the answer to an equal request took longer than FALLBACK_DEADLINE"
                throw APIError(UpstreamError(.timedOut, cause: cause), model: exchange.record.model ?? "")
            }
            return nil
        }
    }

    private func note(_ stored: StoredAnswer) {
        state = .hit
        servedModel = stored.servedModel
        exchange.record.isCached = true
        exchange.record.cost = .nothing
        exchange.record.ownCost = exchange.record.cost
        exchange.record.usage = stored.usage
        exchange.cost = exchange.record.cost
    }

    /// Nil: the request is nobody's.
    private func key(_ name: String, isStreamed: Bool) -> AnswerKey? {
        guard let caller = exchange.asking?.caller, let route = exchange.record.route else { return nil }
        var parts = ByteBuffer()
        switch caller.kind {
        case .known where cache.settings.scope == .shared: parts.append("all")
        case .known: parts.append("key")
        case .passThrough: parts.append("own")
        case .anonymous:
            parts.append("any")
            Digest(of: exchange.gateway.limits.address(exchange.request)).withBytes { parts.append($0) }
        }
        if caller.kind != .known || cache.settings.scope == .key {
            caller.identity?.digest.withBytes { parts.append($0) }
        }
        parts.append(isStreamed ? "+" : "-")
        parts.append(route)
        parts.append(" ")
        body.withBytes { parts.append($0) }
        parts.append(name)
        return AnswerKey(Digest(quicklyOf: parts.bytes))
    }

    // MARK: Keeping

    /// The answer is one to be kept, as far as is known.
    var isKeeping: Bool { key != nil }

    /// Makes room for so much of an answer. False: it is too long, and is not kept.
    func hasRoom(for bytes: Int) -> Bool {
        guard key != nil else { return false }
        if bytes <= cache.longestBytes, exchange.gateway.memory.covers(bytes, &hold) { return true }
        giveUp()
        return false
    }

    /// Keeps the whole answer. Before its last bytes leave: who asks again finds it.
    func keep(_ answer: Body) {
        guard let key else { return }
        let label = MemoryAnswers.Label(model: exchange.record.model, caller: exchange.record.caller)
        cache.add(answer, key, label: label, on: loop)
        lead?.end(with: .answer(answer))
        end()
    }

    /// The answer is good, but not to be kept.
    func giveUp() {
        lead?.end(with: .unkept)
        end()
    }

    /// Nothing is kept from here on. Who waits for the answer asks.
    func end() {
        lead?.end()
        lead = nil
        key = nil
        hold = nil
    }
}

extension Request {
    /// The client wants nothing of it to be kept.
    var refusesKeeping: Bool { tellsCaches("no-store") }

    /// The client wants no answer that was kept.
    fileprivate var wantsNewAnswer: Bool { tellsCaches("no-cache") }

    private func tellsCaches(_ directive: StaticString) -> Bool {
        guard let given = self[.cacheControl] else { return false }
        return given.split(separator: UInt8(ascii: ","))
            .contains { UnsafeRawBufferPointer(rebasing: $0).trimmed.equalsLowered(directive) }
    }
}
