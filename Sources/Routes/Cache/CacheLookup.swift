import Engine
import Limits
import Shared
import Upstream

/// The work with the response cache for one request: finds a cached response, or stores the new one.
final class CacheLookup: RequestCaching, OnLoop, @unchecked Sendable {
    let cache: ConfiguredCache
    private(set) var state = CacheState.off
    /// The vendor's name for the model of the cached response; nil if no cached response was found.
    private(set) var servedModel: String?
    private let body: Digest
    /// The exchange (request and response) that owns this lookup.
    unowned let exchange: Exchange
    /// The cache key for storing the response; nil if the response will not be stored.
    private var key: CacheKey?
    /// The object that gives this request's response to waiting equal requests; nil if no request can wait for it.
    private var leader: CoalescedLeader?
    /// The memory that is reserved for the copy of the response that will be stored.
    private var reservation: MemoryReservation?

    init(_ cache: ConfiguredCache, _ body: Digest, exchange: Exchange) {
        self.cache = cache
        self.body = body
        self.exchange = exchange
    }

    private var loop: EventLoop { exchange.gateway.loop }

    // MARK: Lookup

    /// Returns the response to an equal request; nil if this request must call the vendor.
    ///
    /// The request must have been admitted.
    func find(_ model: String, servedBy name: String, isStreamed: Bool) async throws(APIError) -> CachedResponse? {
        guard cache.settings.models.match(model), let key = key(name, isStreamed: isStreamed) else { return nil }
        self.key = key
        state = .miss
        // The client wants a new response.
        guard !exchange.request.hasCacheDirective("no-cache") else {
            cache.count(isHit: false)
            return nil
        }
        var found = await cache.response(key, on: loop)
        if found == nil, cache.settings.coalesces { found = try await others(key) }
        guard let found, let stored = CachedResponse(found) else {
            cache.count(isHit: false)
            return nil
        }
        cache.count(isHit: true)
        record(stored)
        return stored
    }

    /// Returns the response to an equal request that runs now or has just ended. Waits if that request still runs.
    /// Returns nil if this request must call the vendor itself.
    private func others(_ key: CacheKey) async throws(APIError) -> Body? {
        switch cache.responseCache.coalescer.join(key, on: loop) {
        case .full: return nil
        case .leads(let leader):
            // The previous request may have ended since the lookup.
            if let found = cache.responseInMemory(key, on: loop) {
                leader.end(with: .response(found))
                return found
            }
            self.leader = leader
            return nil
        case .waits(let coalescedWaiter):
            let time = exchange.gateway.fallbackNanoseconds
            switch await coalescedWaiter.outcome(until: loop.now + time) {
            case .response(let found):
                cache.countCoalesced()
                return found
            case .leads(let leader): self.leader = leader
            case .alone: break
            case .left: throw .clientLeft
            case .late:
                let cause = "the response to an equal request took longer than FALLBACK_DEADLINE"
                throw APIError(UpstreamError(.timedOut, cause: cause), model: exchange.record.model ?? "")
            }
            return nil
        }
    }

    private func record(_ stored: CachedResponse) {
        state = .hit
        servedModel = stored.servedModel
        exchange.record.isCached = true
        exchange.record.cost = .nothing
        exchange.record.ownCost = exchange.record.cost
        exchange.record.usage = stored.usage
    }

    /// Returns the key under which the cache stores the response; nil if the request has no caller or no route.
    private func key(_ name: String, isStreamed: Bool) -> CacheKey? {
        guard let caller = exchange.asking?.caller, let route = exchange.record.route else { return nil }
        var parts = ByteBuffer()
        let isOwn = caller.kind == .known && cache.settings.scope == .key
        cache.storeScope.append(to: &parts, of: isOwn ? caller : nil)
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
        return CacheKey(Digest(quicklyOf: parts.bytes))
    }

    // MARK: Storing

    /// Whether the relay intends to store the response in the cache.
    var isKeeping: Bool { key != nil }

    func isAwaited(unsentBytes: Int) -> Bool {
        // One of the waiting requests calls the vendor then.
        if unsentBytes > cache.longestBytes { end() }
        return leader?.isAwaited ?? false
    }

    /// Reserves memory for storing a response of this many bytes. Returns false, and ends the lookup, if the
    /// response cannot be stored.
    func hasRoom(for bytes: Int) -> Bool {
        guard key != nil else { return false }
        if bytes <= cache.longestBytes, exchange.gateway.memory.covers(bytes, &reservation) { return true }
        giveUp()
        return false
    }

    /// Stores the complete response in the cache. Call it before the last bytes are sent.
    func keep(_ response: Body) {
        guard let key else { return }
        let label = MemoryCache.Label(
            model: exchange.record.model,
            caller: exchange.record.caller,
            bodies: exchange.recorder?.makeCopy(cache.responseCache.bodies)
        )
        cache.add(response, key, label: label, on: loop)
        leader?.end(with: .response(response))
        end()
    }

    /// Ends the lookup because the response cannot be cached. All equal requests that wait for it then call the vendor.
    func giveUp() {
        leader?.end(with: .uncacheable)
        end()
    }

    /// Ends the lookup without storing a response. One of the equal requests that wait for it then calls the vendor.
    func end() {
        leader?.end()
        leader = nil
        key = nil
        reservation = nil
    }
}

extension Request {
    /// Whether the client forbids storing the response in a cache (`Cache-Control: no-store`).
    var forbidsCaching: Bool { hasCacheDirective("no-store") }

    fileprivate func hasCacheDirective(_ directive: StaticString) -> Bool {
        guard let given = self[.cacheControl] else { return false }
        return given.split(separator: UInt8(ascii: ","))
            .contains { UnsafeRawBufferPointer(rebasing: $0).trimmed.equalsLowered(directive) }
    }
}

extension CacheLookup {
    /// Stores the complete JSON response of a forwarded request in the cache, without the value of its member `model`.
    func keep(forwarded body: Body) async {
        guard hasRoom(for: body.bytes.count) else { return }
        let usage = exchange.record.usage ?? Usage(promptTokens: 0, completionTokens: 0)
        let model = exchange.servedModel ?? ""
        let gateway = exchange.gateway
        let written: Body?? = await gateway.worker.result(ofBytes: body.bytes.count, on: gateway.loop) {
            var encoded = ByteBuffer()
            if let name = RawJSON(body.bytes)["model"]?.bytes, let start = body.bytes.baseAddress,
                let offset = name.baseAddress.map({ $0 - start })
            {
                // The model's name is left out, because a later request can call the model by another name.
                encoded.append(field: body.bytes[part: 0..<offset])
                encoded.append(field: body.bytes[part: (offset + name.count)..<body.bytes.count])
            } else {
                encoded.append(field: body.bytes)
            }
            return CachedResponse.written(usage, model, encoded.bytes)
        }
        if let written = written ?? nil { keep(written) } else { giveUp() }
    }

    /// Sends a cached response if there is one, and returns whether there was.
    ///
    /// The request must have been admitted.
    /// - Parameter name: the model or panel that serves the request.
    func answersForward(_ model: String, _ name: String) async throws(APIError) -> Bool {
        let found = try await find(model, servedBy: name, isStreamed: false)
        guard let found else { return false }
        let length = found.bytes.count + model.utf8.count
        do throws(UpstreamError) {
            guard length > WorkQueue.loopBytes else {
                var whole = ByteBuffer()
                _ = whole.reserve(length)
                _ = Self.append(found, model, to: &whole)
                exchange.send(json: whole)
                return true
            }
            return try await exchange.send(longer: ByteBuffer(), ofBytes: length) { Self.append(found, model, to: &$0) }
        } catch {
            throw APIError(error, model: model)
        }
    }

    /// Appends the cached response with the model's name. Returns false if the cached data is damaged.
    private static func append(_ found: CachedResponse, _ model: String, to whole: inout ByteBuffer) -> Bool {
        var reader = FieldReader(found.bytes)
        guard let before = reader.text() else { return false }
        whole.append(before)
        // Some vendors' responses do not name the model.
        guard let after = reader.text() else { return true }
        whole.append(json: model)
        whole.append(after)
        return true
    }
}
