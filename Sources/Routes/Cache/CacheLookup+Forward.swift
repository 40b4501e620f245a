import Engine
import Shared
import Upstream

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
