import Engine
import Limits
import Shared
import Upstream

/// The use of the response cache by one chat request: sends the cached response, or stores the new one.
final class CacheStage: OnLoop, @unchecked Sendable {
    private let lookup: CacheLookup
    private let formatter: any ChatResponseFormatter
    private let exchange: Exchange
    private let attributed: Digest?
    /// The ids of the caller's files to which the request refers.
    private var files: [String] = []

    init(_ asked: ChatRequest, _ digest: Digest, in cache: ConfiguredCache, _ exchange: Exchange) {
        formatter = asked.formatter
        self.exchange = exchange
        attributed = asked.attributed
        lookup = CacheLookup(cache, digest.with(asked.call.original?.messageHeaders), exchange: exchange)
        for index in asked.call.attachments.indices {
            if case .file(let id) = asked.call.attachments[index].source { files.append(id) }
        }
        exchange.lookup = lookup
    }

    // MARK: Lookup

    /// Sends the cached response if there is one, and returns whether it was sent.
    ///
    /// The request must have been admitted.
    /// - Parameter delivery: the delivery of a streamed response, which sends pings; nil for a whole one.
    @inline(never)  // Called only with a response cache; its variables would be a part of each request's frame.
    func responds(
        to source: ChatSource,
        _ plan: ChatPlan,
        _ delivery: ChatDelivery?
    ) async throws(APIError) -> Bool {
        guard var name = plan.cachedName, try await ownsFiles() else { return false }
        // A client may write anything into a line that its vendor reads.
        if let attributed, source.sendsAttribution { name += "\n\(attributed.base64url(characters: 43))" }
        let wanted = plan.options
        let found = try await lookup.find(wanted.model, servedBy: name, isStreamed: wanted.isStreamed)
        guard let found else { return false }
        delivery?.stopPings()
        do throws(UpstreamError) {
            if let delivery {
                try await emit(found, to: delivery.writer, wanted)
            } else {
                try await write(found, wanted)
            }
        } catch {
            throw APIError(error, model: wanted.model)
        }
        return true
    }

    private func ownsFiles() async throws(APIError) -> Bool {
        guard !files.isEmpty else { return true }
        guard let caller = exchange.asking?.caller,
            let owner = FileOwner(caller, secret: exchange.gateway.settings.fileSecret)
        else { return false }
        for id in files {
            guard try await exchange.gateway.file(id, of: owner) != nil else { return false }
        }
        return true
    }

    private func write(_ found: CachedResponse, _ wanted: FormatterOptions) async throws(UpstreamError) {
        let gateway = exchange.gateway
        let names = Body(ResponseNames.write("chat.completion", model: wanted.model, exchange))
        let response: ChatResponse?? = await gateway.worker.result(ofBytes: found.bytes.count, on: gateway.loop) {
            var response: ChatResponse?
            names.read { response = ChatResponse(cached: found.bytes, $0) }
            response?.usage = found.usage
            return response
        }
        guard let response = response ?? nil else { throw .tooMuchWork }
        try await formatter.write(response, wanted, exchange)
    }

    /// The number of bytes of a cached response to send before other tasks may run.
    private static let stepBytes = 262_144

    private func emit(
        _ found: CachedResponse,
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions
    ) async throws(UpstreamError) {
        let names = Body(ResponseNames.write("chat.completion.chunk", model: wanted.model, exchange))
        let usage = found.usage
        writer.expect(.known(usage.promptTokens - usage.cachedTokens - usage.cacheWriteTokens))
        if found.hasOpening { writer.begin(with: " ") }
        var reader = CachedEventReader(found.bytes, names: names, includesUsage: wanted.includesUsage)
        var step = reader.offset
        while reader.next(writer) {
            guard writer.isFull else { continue }
            try await flush(writer)
            if reader.offset - step > Self.stepBytes {
                step = reader.offset
                await Task.yield()
            }
        }
        try await flush(writer)
        await writer.end(usage)
    }

    /// Sends the collected output, and waits for a slow client.
    private func flush(_ writer: any ChatStreamWriter) async throws(UpstreamError) {
        writer.flush()
        if let failure = writer.failure { throw failure }
        if exchange.writer.isFull { await exchange.writer.drained() }
    }

    // MARK: Storing

    /// Returns a delivery that also stores the response in the cache, or `delivery` if the response is not stored.
    func recording(_ delivery: ChatDelivery) -> ChatDelivery {
        guard lookup.isKeeping else { return delivery }
        let wanted = delivery.wanted
        let writer = RecordingWriter(delivery.writer, lookup) { [exchange] in exchange.servedModel ?? wanted.model }
        return ChatDelivery(to: writer, wanted, exchange)
    }

    @inline(never)  // Called only with a response cache.
    func keep(_ response: ChatResponse, _ wanted: FormatterOptions) async {
        guard lookup.isKeeping else { return }
        let gateway = exchange.gateway
        let bytes = response.encodedBytes
        guard lookup.hasRoom(for: bytes) else { return }
        let model = exchange.servedModel ?? wanted.model
        let written: Body?? = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) {
            response.cachedEvents.map { CachedResponse.written(response.usage ?? .nothing, model, $0.bytes) }
        }
        if let written = written ?? nil { lookup.keep(written) } else { lookup.end() }
    }
}

extension Digest {
    /// The digest of a request, together with the header lines that the vendor gets.
    fileprivate func with(_ headers: MessageHeaders?) -> Digest {
        guard let headers, !headers.betas.isEmpty || headers.version != nil else { return self }
        var parts = ByteBuffer()
        withBytes { parts.append($0) }
        parts.append(headers.version ?? "")
        parts.append("\n")
        parts.append(headers.betas)
        return Digest(quicklyOf: parts.bytes)
    }
}
