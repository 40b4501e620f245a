import Engine
import Shared

/// A validator that checks a response for the tool call or the JSON that the request demands, and the arguments of
/// strict tools for their schemas.
final class OutputValidator: Sendable {
    enum Demand: Sendable {
        case call(ToolDemand)
        case document(FormatProtocol)
    }

    let demand: Demand
    /// The strict tools whose arguments are validated; empty if the vendor itself follows their schemas.
    private let tools: [ChatOptions.Tool]
    let memory: MemoryBudget
    private let worker: WorkQueue
    private let loop: EventLoop

    /// Creates a validator. Returns nil if the request demands nothing that can be checked, or if the vendor's API does
    /// not support what the request demands.
    init?(
        _ call: borrowing ChatCall,
        by abilities: Abilities,
        within memory: MemoryBudget,
        _ worker: WorkQueue,
        on loop: EventLoop
    ) {
        let mayMisfit = abilities.isSuperset(of: [.uncheckedArguments, .tools])
        tools = mayMisfit ? call.chatOptions.tools.filter { $0.isStrict == true } : []
        if call.needs.contains(.toolChoice) {
            // If the request demands a tool call, its format does not apply.
            guard abilities.contains(.toolChoice) else { return nil }
            demand = .call(ToolDemand(call.chatOptions.toolChoice))
        } else if call.needs.intersection([.objects, .schemas]).isSubset(of: abilities),
            let format = call.chatOptions.format.judged
        {
            // The vendor has to refuse a schema that cannot be read.
            demand = .document(format)
        } else {
            guard !tools.isEmpty else { return nil }
            demand = .call(.auto)
        }
        self.memory = memory
        self.worker = worker
        self.loop = loop
    }

    var checksArguments: Bool { !tools.isEmpty }

    /// Checks that the arguments of strict tools match their schemas. Throws an error otherwise.
    func check(_ calls: [ToolCall]) async throws(UpstreamError) {
        guard checksArguments, !calls.isEmpty else { return }
        let bytes = calls.reduce(0) { $0 + $1.arguments.utf8.count }
        let problem = await worker.result(ofBytes: bytes, on: loop) { [tools] () -> String? in
            let parser = JSONParser()
            var definitions: [String: ToolDefinition] = [:]
            for call in calls {
                guard let tool = tools.first(where: { $0.name.hasSameBytes(as: call.name) }) else { continue }
                let definition = definitions[call.name] ?? ToolDefinition(strict: tool)
                definitions[call.name] = definition
                if let problem = definition?.problem(with: call.arguments, parser) { return problem }
            }
            return nil
        }
        guard let problem else { throw .tooMuchWork }
        if let problem { throw Self.failure(problem) }
    }

    /// Returns the JSON that the request demands, without code fences and text around it.
    /// - Throws: an error if the text contains no JSON that fits the format.
    func document(in text: Body) async throws(UpstreamError) -> Body {
        guard case .document(let format) = demand else { return text }
        let validation = await worker.result(ofBytes: text.bytes.count, on: loop) {
            () -> StructuredOutputParser.Validation? in
            if case .fits = StructuredValue(text: text, format: format).judged() { return nil }
            var response = StructuredOutputParser(format)
            response.consume(text.bytes)
            return response.finish()
        }
        guard let validation else { throw .tooMuchWork }
        switch validation {
        case nil: return text
        case .document(let document): return Body(ByteBuffer(document))
        case .unfit(let why): throw Self.failure(why)
        }
    }

    /// Checks that the text consists only of JSON in the demanded format. Throws an error otherwise.
    func check(_ text: Body) async throws(UpstreamError) {
        guard case .document(let format) = demand else { return }
        let value = StructuredValue(text: text, format: format)
        switch await worker.result(ofBytes: text.bytes.count, on: loop, { value.judged() }) {
        case .fits: return
        case .misfit(let why), .broken(let why): throw Self.failure(why)
        case nil: throw .tooMuchWork
        }
    }

    /// Makes the error for an invalid response of which the client has received nothing.
    static func failure(_ problem: String) -> UpstreamError {
        var error = UpstreamError.unmet(problem)
        error.recovery = .promptForFormat
        return error
    }
}

extension FinishReason {
    /// Whether the model ended the response itself, rather than a limit or a filter.
    var isEndedByModel: Bool { self == .stop || self == .toolCalls }
}

extension ChatOptions.Format {
    /// The output format to validate; nil if it is plain text, or if its schema is not strict or cannot be read.
    fileprivate var judged: FormatProtocol? {
        switch self {
        case .text: nil
        case .object, .schema(_, _, isStrict: true): try? FormatProtocol(self)
        case .schema: nil
        }
    }
}
