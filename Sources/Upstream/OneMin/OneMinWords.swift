import Engine
package import Shared

extension OneMin: WordTaker {
    package func words(
        in sound: KeptAsset,
        by model: Model,
        key: String
    ) async throws(UpstreamError) -> TakenWords {
        var body = ByteBuffer()
        body.append(#"{"type":"SPEECH_TO_TEXT","model":"#)
        body.append(json: model.id)
        body.append(#","promptObject":{"audioUrl":"#)
        body.append(json: sound.path)
        if model.id == "whisper-1" || model.id.hasPrefix("gpt-4o-transcribe") {
            body.append(#","response_format":"text""#)
        }
        body.append("}}")
        let call = UpstreamCall(endpoint: making, headers: headers(for: key), body: Body(body))
        let reply: UpstreamReply
        do throws(TransportError) {
            reply = try await transport.send(call)
        } catch {
            throw UpstreamError(error)
        }
        let bytes = reply.body.bytes
        guard reply.head.status == 200 || reply.head.status == 201 else {
            throw UpstreamError(reply.head, bytes, parser)
        }
        return try TakenWords(bytes, parser)
    }
}

extension TakenWords {
    /// `bytes`: a record, whose result is the text, JSON with the text, or nothing if nothing was said.
    init(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(UpstreamError) {
        let record = try OneMinRecord.checked(bytes, parser)
        let detail = record["aiRecordDetail"]
        let result = detail?["resultObject"]
        let said = result?.string ?? result?.elements?.lazy.compactMap { $0.string }.first
        guard let text = said ?? detail?["responseObject"]?["text"]?.string else {
            throw UpstreamError(.failed, cause: "the vendor's record has no words")
        }
        credits = OneMinRecord.credits(record["metadata"])
        let inner = text.hasPrefix("{") ? ByteBuffer(text) : ByteBuffer()
        self.text = inner.isEmpty ? text : (try? parser.parse(inner.bytes))?["text"]?.string ?? text
    }
}
