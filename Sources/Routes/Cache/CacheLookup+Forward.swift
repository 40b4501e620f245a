import Calls
import Engine
import Shared
import Upstream

extension CacheLookup {
    /// Keeps a whole JSON answer of a vendor that goes on, with a gap where the model is named: who gets it may have asked
    /// by another name.
    func keep(forwarded body: Body) async {
        guard hasRoom(for: body.bytes.count) else { return }
        let usage = exchange.record.usage ?? Usage(promptTokens: 0, completionTokens: 0)
        let model = exchange.servedModel ?? ""
        let gateway = exchange.gateway
        let written: Body?? = await gateway.worker.result(ofBytes: body.bytes.count, on: gateway.loop) {
            guard let name = RawJSON(body.bytes)["model"]?.bytes, let start = body.bytes.baseAddress,
                let place = name.baseAddress.map({ $0 - start })
            else { return nil }
            var tape = AnswerTape()
            tape.add(body.bytes[part: 0..<place])
            tape.add(body.bytes[part: (place + name.count)..<body.bytes.count])
            return StoredAnswer.written(usage, model, tape.out.bytes)
        }
        if let written = written ?? nil { keep(written) } else { giveUp() }
    }
}

extension CacheLookup {
    /// True: the request was answered with what was kept. It was admitted.
    ///
    /// - Parameters:
    ///   - model: as it was asked for.
    ///   - name: that serves it.
    func answersForward(_ model: String, _ name: String) async throws(APIError) -> Bool {
        let found = try await find(model, servedBy: name, isStreamed: false) { await $0.outcome(until: $1) }
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

    /// False: it is not readable.
    private static func append(_ found: StoredAnswer, _ model: String, to whole: inout ByteBuffer) -> Bool {
        var reader = TapeReader(found.bytes)
        guard let before = reader.text(), let after = reader.text() else { return false }
        whole.append(before)
        whole.append(json: model)
        whole.append(after)
        return true
    }
}
