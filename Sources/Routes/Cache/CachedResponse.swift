import Engine
import Glibc
import Shared
import Upstream

struct CachedResponse: Sendable {
    /// The version of the cache format. Cached data of other versions is not read.
    private static let version = 7
    /// The range of token counts that are accepted from the cache. Sums of such counts cannot overflow.
    private static let tokens = 0..<1 << 41

    let usage: Usage
    /// The vendor's name of the model that produced the response.
    let servedModel: String
    /// Whether the relay began the stream with a text of its own, which is not cached.
    let hasOpening: Bool
    private let body: Body
    private let start: Int

    /// Decodes a cached response; nil if the data is damaged or has another version.
    init?(_ body: Body) {
        var reader = FieldReader(body.bytes)
        guard reader.number() == Self.version, let prompt = reader.number(), let completion = reader.number(),
            let cached = reader.number(), let written = reader.number(), let reasoning = reader.number(),
            let hasOpening = reader.number(), let model = reader.text()
        else { return nil }
        guard [prompt, completion, cached, written, reasoning].allSatisfy(Self.tokens.contains) else { return nil }
        var usage = Usage(promptTokens: prompt, completionTokens: completion)
        usage.cachedTokens = cached
        usage.cacheWriteTokens = written
        usage.reasoningTokens = reasoning
        self.usage = usage
        servedModel = model.text
        self.hasOpening = hasOpening == 1
        self.body = body
        start = reader.offset
    }

    var bytes: UnsafeRawBufferPointer { body.bytes[part: start..<body.bytes.count] }

    static func written(
        _ usage: Usage,
        _ servedModel: String,
        hasOpening: Bool = false,
        _ response: UnsafeRawBufferPointer
    ) -> Body {
        var encoded = ByteBuffer()
        encoded.append(field: version)
        for number in [
            usage.promptTokens, usage.completionTokens, usage.cachedTokens, usage.cacheWriteTokens,
            usage.reasoningTokens,
        ] { encoded.append(field: number) }
        encoded.append(field: hasOpening ? 1 : 0)
        servedModel.withBytes { encoded.append(field: $0) }
        encoded.append(response)
        return Body(copying: encoded.bytes)
    }
}

/// Functions for the members `id`, `object`, `created` and `model`, with which a response in a vendor's own JSON
/// begins.
enum ResponseNames {
    /// Returns the offset after the response's first members, `id` to `model`; nil if the response does not begin
    /// with them.
    static func end(in response: UnsafeRawBufferPointer) -> Int? {
        let members = Array(RawJSON(response).members.prefix(4))
        guard members.count == 4, members[0].name.equals("id"), members[3].name.equals("model"),
            let start = response.baseAddress, let last = members[3].value.bytes.baseAddress
        else { return nil }
        return last - start + members[3].value.bytes.count
    }

    /// Returns the beginning of a response's JSON: the members `id`, `object`, `created` and `model`, with a new id and
    /// the present time.
    static func write(_ object: StaticString, model: String, _ exchange: Exchange) -> ByteBuffer {
        var out = ByteBuffer()
        out.append(#"{"id":""#)
        exchange.gateway.ids.appendID("chatcmpl-", into: &out)
        out.append(#"","object":""#)
        out.append(object)
        out.append(#"","created":"#, decimal: time(nil))
        out.append(#","model":"#, json: model)
        return out
    }
}
