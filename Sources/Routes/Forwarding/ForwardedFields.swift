import Calls
import Engine
import Shared
import Upstream

/// The fields of a request that goes on as it came that the relay itself has to know.
struct ForwardedFields: Sendable {
    var model: String?
    var images = 1
    var isStreamed = false
    /// Those that an embedding is wanted of, or a judgment; empty of other calls.
    var texts = Body(ByteBuffer())
    /// Of texts that came as numbers.
    var numbers = 0

    init() {}

    init(_ root: JSONValue, _ endpoint: ForwardedEndpoint) throws(APIError) {
        let fields = try RequestFields(root)
        model = try fields.model()
        isStreamed = root["stream"]?.flag == true || root["stream_format"]?.text?.equals("sse") == true
        switch endpoint {
        case .embeddings, .moderations:
            guard let input = root["input"] else { throw .missing("input") }
            var texts = ByteBuffer()
            add(input, to: &texts, depth: 0)
            self.texts = Body(texts)
        default:
            if let count = root["n"]?.integer, (1...1_000).contains(count) { images = Int(count) }
        }
    }

    /// A text, numbers, parts with a text, or a list of these.
    private mutating func add(_ value: JSONValue, to texts: inout ByteBuffer, depth: Int) {
        if let text = value.text {
            if !texts.isEmpty { texts.append("\n") }
            texts.append(text)
        } else if value.kind == .integer {
            numbers += 1
        } else if let text = value["text"]?.text {
            texts.append(text)
        } else if depth < 2 {
            for element in value.elements ?? JSONElements() { add(element, to: &texts, depth: depth + 1) }
        }
    }

    /// By the model's vocabulary.
    func tokens(_ model: Model, _ exchange: Exchange) async throws(APIError) -> Int {
        let counter = TokenCounter.of(model)
        let texts = texts
        guard !texts.bytes.isEmpty else { return numbers }
        let gateway = exchange.gateway
        let count = await gateway.worker.result(
            ofBytes: Worker.countingWeight * texts.bytes.count,
            on: gateway.loop
        ) { counter.count(texts.bytes) }
        guard let count else { throw .tooMuchWork }
        return count + numbers
    }

    /// Without a vocabulary.
    var estimate: Usage? {
        guard !texts.bytes.isEmpty || numbers > 0 else { return nil }
        var estimate = TokenEstimate()
        estimate.add(texts.bytes)
        return Usage(promptTokens: estimate.tokens + numbers, completionTokens: 0)
    }
}
