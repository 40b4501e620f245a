import Calls
import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Returns a surface that wraps `surface` and uses the response cache.
    ///
    /// Returns `surface` itself if there is no cache or the response must not be cached.
    @inline(never)
    func keeping(_ surface: any ChatSurface) -> any ChatSurface {
        guard let cache = gateway.cache, surface.mayKeep, !request.forbidsCaching else { return surface }
        return KeepingSurface(surface, cache)
    }
}

/// A wrapper of a surface that computes the digest of each request, by which the response cache finds responses.
private struct KeepingSurface: ChatSurface {
    private let surface: any ChatSurface
    private let cache: ConfiguredCache

    init(_ surface: any ChatSurface, _ cache: ConfiguredCache) {
        self.surface = surface
        self.cache = cache
    }

    var wire: Wire? { surface.wire }

    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        surface.append(error, isMidStream: isMidStream, to: &body)
    }

    func status(of error: APIError) -> Int { surface.status(of: error) }

    func appendFields(_ requestID: String, _ standing: Decision?, to fields: inout ByteBuffer) {
        surface.appendFields(requestID, standing, to: &fields)
    }

    func read(_ root: JSONValue, defaultModel: String?) throws(APIError) -> ChatRequest {
        kept(try surface.read(root, defaultModel: defaultModel), root)
    }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        kept(try surface.read(root, defaultModel: defaultModel, reading), root)
    }

    private func kept(_ request: ChatRequest, _ root: JSONValue) -> ChatRequest {
        guard let digest = RequestDigest.of(root) else { return request }
        let formatter = CachingFormatter(request.formatter, digest, cache: cache)
        return ChatRequest(request.removeCall(), formatter, isOfOtherAPI: request.isOfOtherAPI)
    }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> ChatTarget {
        if let formatter = asked.formatter as? CachingFormatter { formatter.begin(asked.call, exchange) }
        return try surface.target(of: asked, caller, exchange)
    }
}

/// A formatter that looks up the response in the cache, and stores a new response there.
///
/// `@unchecked`: it may be created on any thread, and is then used on the event loop of its request only.
final class CachingFormatter: ChatResponseFormatter, @unchecked Sendable {
    private let formatter: any ChatResponseFormatter
    private let digest: Digest
    private let cache: ConfiguredCache
    private var lookup: CacheLookup?
    /// The ids of the caller's files to which the request refers.
    private var files: [String] = []
    /// The writer of the streamed response; nil before its first use.
    private var writer: (any ChatStreamWriter)?

    init(_ formatter: any ChatResponseFormatter, _ digest: Digest, cache: ConfiguredCache) {
        self.formatter = formatter
        self.digest = digest
        self.cache = cache
    }

    func begin(_ call: borrowing ChatCall, _ exchange: Exchange) {
        for index in call.attachments.indices {
            if case .file(let id) = call.attachments[index].source { files.append(id) }
        }
        let lookup = CacheLookup(cache, digest(with: call.original?.messageHeaders), exchange: exchange)
        exchange.lookup = lookup
        self.lookup = lookup
    }

    /// The digest of the request body, together with the header lines that the vendor gets.
    private func digest(with headers: MessageHeaders?) -> Digest {
        guard let headers, !headers.betas.isEmpty || headers.version != nil else { return digest }
        var parts = ByteBuffer()
        digest.withBytes { parts.append($0) }
        parts.append(headers.version ?? "")
        parts.append("\n")
        parts.append(headers.betas)
        return Digest(quicklyOf: parts.bytes)
    }

    var hasReferences: Bool { formatter.hasReferences }

    func resolved(_ call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> ChatCall {
        try await formatter.resolved(call, for: caller, exchange)
    }

    // MARK: Lookup

    /// Sends the cached response if there is one, and returns whether it was sent.
    ///
    /// The request must have been admitted.
    /// - Parameter name: the name of the model or panel that would serve the request.
    fileprivate func isAnswering(
        _ wanted: FormatterOptions,
        servedBy name: String,
        _ exchange: Exchange
    ) async throws(APIError) -> Bool {
        guard let lookup, try await ownsFiles(exchange) else { return false }
        let found = try await lookup.find(wanted.model, servedBy: name, isStreamed: wanted.isStreamed) {
            let pinging = wanted.isStreamed ? Pinging(plainWriter(wanted, exchange), exchange.gateway.loop) : nil
            defer { pinging?.stop() }
            return await $0.outcome(until: $1)
        }
        guard let found else { return false }
        do throws(UpstreamError) {
            if wanted.isStreamed {
                try await emit(found, to: plainWriter(wanted, exchange), wanted, exchange: exchange)
            } else {
                try await write(found, wanted, exchange: exchange)
            }
        } catch {
            throw APIError(error, model: wanted.model)
        }
        return true
    }

    private func ownsFiles(_ exchange: Exchange) async throws(APIError) -> Bool {
        guard !files.isEmpty else { return true }
        guard let caller = exchange.asking?.caller,
            let owner = FileOwner(caller, secret: exchange.gateway.settings.fileSecret)
        else { return false }
        for id in files {
            guard try await exchange.gateway.file(id, of: owner) != nil else { return false }
        }
        return true
    }

    private func write(
        _ found: CachedResponse,
        _ wanted: FormatterOptions,
        exchange: Exchange
    ) async throws(UpstreamError) {
        let gateway = exchange.gateway
        let names = Body(ResponseNames.write("chat.completion", model: wanted.model, exchange))
        let response: ChatResponse?? = await gateway.worker.result(ofBytes: found.bytes.count, on: gateway.loop) {
            var response: ChatResponse?
            names.read { response = ChatResponse(cached: found.bytes, $0) }
            return response
        }
        guard let response = response ?? nil else { throw .tooMuchWork }
        try await formatter.write(response, found.usage, wanted, exchange)
    }

    /// The number of bytes of a cached response to send before other tasks may run.
    private static let stepBytes = 262_144

    private func emit(
        _ found: CachedResponse,
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        exchange: Exchange
    ) async throws(UpstreamError) {
        let names = Body(ResponseNames.write("chat.completion.chunk", model: wanted.model, exchange))
        if found.hasOpening { writer.begin(with: " ") }
        var reader = CachedEventReader(found.bytes, names: names, includesUsage: wanted.includesUsage)
        var step = reader.position
        while reader.next(writer) {
            guard writer.isFull else { continue }
            try await writer.flush()
            if reader.position - step > Self.stepBytes {
                step = reader.position
                await Task.yield()
            }
        }
        try await writer.flush()
        await writer.end(found.usage)
    }

    private func plainWriter(_ wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        if let writer { return writer }
        let made = formatter.writer(for: wanted, exchange)
        writer = made
        return made
    }

    // MARK: Storing

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        let plain = plainWriter(wanted, exchange)
        guard let lookup, lookup.isKeeping else { return plain }
        return RecordingWriter(plain, lookup) { exchange.servedModel ?? wanted.model }
    }

    func write(
        _ response: ChatResponse,
        _ usage: Usage,
        _ wanted: FormatterOptions,
        _ exchange: Exchange
    ) async throws(UpstreamError) {
        if let lookup, lookup.isKeeping {
            await keep(response, usage, wanted: wanted, lookup: lookup, exchange: exchange)
        }
        try await formatter.write(response, usage, wanted, exchange)
    }

    private func keep(
        _ response: ChatResponse,
        _ usage: Usage,
        wanted: FormatterOptions,
        lookup: CacheLookup,
        exchange: Exchange
    ) async {
        let gateway = exchange.gateway
        let bytes = response.encodedBytes
        guard lookup.hasRoom(for: bytes) else { return }
        let model = exchange.servedModel ?? wanted.model
        let written: Body?? = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) {
            response.cachedEvents.map { CachedResponse.written(usage, model, $0.bytes) }
        }
        if let written = written ?? nil { lookup.keep(written) } else { lookup.end() }
    }
}

extension ChatResponseFormatter {
    /// Sends the cached response if there is one, and returns whether it was sent.
    ///
    /// Returns false for image and speech models. The request must have been admitted.
    @inline(never)
    func respondsFromCache(_ plan: ChatPlan, _ exchange: Exchange) async throws(APIError) -> Bool {
        // The links of image and speech models expire, and callers who repeat such a request want new media.
        guard plan.candidate.chats else { return false }
        // A response with web search differs from one without.
        let name = plan.candidate.name + (plan.candidate.model.searchesWeb ? ModelCatalog.online : "")
        return try await respondsFromCache(plan.wanted, servedBy: name, exchange)
    }

    /// Sends the cached response if there is one, and returns whether it was sent.
    ///
    /// The request must have been admitted.
    /// - Parameter name: the name of the model or panel that would serve the request.
    @inline(never)
    func respondsFromCache(
        _ wanted: FormatterOptions,
        servedBy name: String,
        _ exchange: Exchange
    ) async throws(APIError) -> Bool {
        guard let formatter = self as? CachingFormatter else { return false }
        return try await formatter.isAnswering(wanted, servedBy: name, exchange)
    }
}
