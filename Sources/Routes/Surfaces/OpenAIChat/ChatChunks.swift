import Engine
import Glibc
import Shared
import Upstream

final class ChatChunks: ChatStreamWriter, OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    private let choices: Int
    private let includesUsage: Bool
    private let hasFunctions: Bool
    private let names: ToolNames
    /// The JSON arguments of custom tool calls that have arrived so far.
    private var customArguments: [ToolCallKey: [UInt8]] = [:]
    /// The signature of each choice's reasoning; empty if the signature must not be sent.
    private var signatures: [Int: [UInt8]] = [:]
    /// The bytes that each text chunk of the first choice begins with.
    private var opening = ByteBuffer()
    private var beginningBytes = 0
    private var out = ByteBuffer()
    private var hasBegun = false
    /// Whether the vendor might have OpenAI's API, so its chunks can be forwarded unchanged.
    private let mayBeNative: Bool
    /// Whether the vendor's own chunks are forwarded unchanged and all other events are ignored.
    private var isNative = false
    private var hasUsage = false

    init(_ wanted: FormatterOptions, _ names: ToolNames, exchange: Exchange) {
        self.exchange = exchange
        self.names = names
        choices = wanted.choices
        includesUsage = wanted.includesUsage
        hasFunctions = wanted.hasFunctions
        mayBeNative = wanted.mayBeNative
        opening.append(#"data: {"id":""#)
        exchange.gateway.ids.appendID("chatcmpl-", into: &opening)
        opening.append(#"","object":"chat.completion.chunk","created":"#, decimal: time(nil))
        opening.append(#","model":"#, json: wanted.model)
        if wanted.includesUsage { opening.append(#","usage":null"#) }
        opening.append(#","choices":[{"index":"#)
        beginningBytes = opening.count
        opening.append(#"0,"delta":{"content":""#)
    }

    /// The bytes that all chunks begin with, up to the index of the choice.
    private var beginning: UnsafeRawBufferPointer { opening.bytes[part: 0..<beginningBytes] }

    func write(_ choice: Int, _ event: ChatEvent) {
        if isNative {
            if case .native(_, let chunk) = event { pass(chunk, of: choice) }
            return
        }
        switch event {
        case .text(let text, let isPlain): add(text, isPlain: isPlain, to: choice)
        case .finish(let reason, _): finish(choice, reason)
        case .reasoning(let text):
            if !signatures.isEmpty { signatures[choice]?.removeAll() }
            add(#"{"reasoning_content":""#, text, "\"}", to: choice)
        case .refusal(let text): add(#"{"refusal":""#, text, "\"}", to: choice)
        case .toolCall(let index, let id, let name): call(index, id, name: name, of: choice)
        case .toolArguments(let index, let text): arguments(index, text, of: choice)
        case .comment(let text): record(text)
        case .signature(let call, let text): signature(text, ofCall: call, of: choice)
        case .native(_, let chunk): pass(chunk, of: choice)
        case .encryptedReasoning: signatures[choice] = []
        case .annotation(let json): add(annotation: json, to: choice)
        case .message: break
        }
    }

    /// Forwards a vendor's own chunk unchanged.
    private func pass(_ chunk: UnsafeRawBufferPointer, of choice: Int) {
        if !isNative {
            isNative = true
            beginHead()
            let names = Array(RawJSON(chunk).members.prefix(4))
            opening.removeAll()
            opening.append("data: ")
            if let last = names.last?.value.bytes, let end = last.baseAddress, let start = chunk.baseAddress {
                opening.append(chunk[part: 0..<(end - start + last.count)])
            }
            beginningBytes = opening.count
        }
        if choice < 0 { hasUsage = true }
        makeRoom()
        out.append("data: ", chunk, "\n\n")
    }

    private func add(_ text: UnsafeRawBufferPointer, isPlain: Bool, to choice: Int) {
        if !hasBegun { begin() }
        makeRoom()
        if choice != 0 {
            open(choice)
            out.append(#"{"content":""#)
        }
        let before = choice == 0 ? opening.bytes : UnsafeRawBufferPointer(start: nil, count: 0)
        let after: StaticString = "\"},\"finish_reason\":null}]}\n\n"
        if isPlain { return out.append(before, text, after) }
        out.append(before, jsonContent: text, after)
    }

    private func add(_ before: StaticString, _ text: UnsafeRawBufferPointer, _ after: StaticString, to choice: Int) {
        openChunk(of: choice)
        out.append(before)
        out.append(jsonContent: text)
        out.append(after)
        out.append(",\"finish_reason\":null}]}\n\n")
    }

    private func add(annotation json: UnsafeRawBufferPointer, to choice: Int) {
        guard let citation = ChatCompletion.citation(of: json) else { return }
        openChunk(of: choice)
        out.append(#"{"annotations":["#, citation.bytes, "]},\"finish_reason\":null}]}\n\n")
    }

    private func call(_ index: Int, _ id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer, of choice: Int) {
        openChunk(of: choice)
        if hasFunctions {
            out.append(#"{"function_call":{"name":"#, json: name)
            return out.append(#","arguments":""}},"finish_reason":null}]}\#n\#n"#)
        }
        out.append(#"{"tool_calls":[{"index":"#, decimal: index)
        out.append(#","id":"#, json: id)
        if names[name].isCustom {
            // OpenAI's schema of a chunk has only the type `function`, but the type may be left out.
            out.append(#","custom":{"name":"#, json: name)
            customArguments[ToolCallKey(choice: choice, index: index)] = []
            return out.append(#","input":""}}]},"finish_reason":null}]}\#n\#n"#)
        }
        out.append(#","type":"function","function":{"name":"#, json: name)
        out.append(#","arguments":""}}]},"finish_reason":null}]}\#n\#n"#)
    }

    private func arguments(_ index: Int, _ text: UnsafeRawBufferPointer, of choice: Int) {
        if !customArguments.isEmpty,
            customArguments[ToolCallKey(choice: choice, index: index)]?.append(contentsOf: text) != nil
        {
            return
        }
        openChunk(of: choice)
        if hasFunctions {
            out.append(#"{"function_call":{"arguments":""#)
            out.append(jsonContent: text)
            return out.append(#""}},"finish_reason":null}]}\#n\#n"#)
        }
        out.append(#"{"tool_calls":[{"index":"#, decimal: index, #","function":{"arguments":""#)
        out.append(jsonContent: text)
        out.append(#""}}]},"finish_reason":null}]}\#n\#n"#)
    }

    private func signature(_ text: UnsafeRawBufferPointer, ofCall call: Int?, of choice: Int) {
        guard let call else {
            signatures[choice] = signatures[choice] == nil ? Array(text) : []
            return
        }
        if hasFunctions { return }
        openChunk(of: choice)
        out.append(#"{"tool_calls":[{"index":"#, decimal: call)
        // OpenAI's client library expects a function in each chunk.
        out.append(#","function":{"arguments":""},"extra_content":{"google":{"thought_signature":""#)
        out.append(jsonContent: text)
        out.append("\"}}}]},\"finish_reason\":null}]}\n\n")
    }

    private func record(_ text: UnsafeRawBufferPointer) {
        if !hasBegun { begin() }
        out.append(comment: text)
    }

    private func writeInputs(of choice: Int) {
        for (key, arguments) in customArguments.sorted(by: { $0.key.index < $1.key.index })
        where key.choice == choice {
            open(choice)
            out.append(#"{"tool_calls":[{"index":"#, decimal: key.index, #","custom":{"input":"#)
            arguments.withUnsafeBytes { text in ToolNames.input(of: text) { out.append(json: $0) } }
            out.append("}}]},\"finish_reason\":null}]}\n\n")
        }
    }

    private func finish(_ choice: Int, _ reason: FinishReason) {
        if !hasBegun { begin() }
        if !customArguments.isEmpty { writeInputs(of: choice) }
        if let signature = signatures[choice], !signature.isEmpty {
            signature.withUnsafeBytes { add(#"{"extra_content":{"thought_signature":""#, $0, "\"}}", to: choice) }
        }
        open(choice)
        out.append(#"{},"finish_reason":""#, reason.name(isOld: hasFunctions), "\"}]}\n\n")
    }

    func finishEarly(_ choice: Int) {
        guard isNative else { return finish(choice, .length) }
        out.append(beginning)
        out.append(#","choices":[{"index":"#, decimal: choice, ",\"delta\":{},\"finish_reason\":\"length\"}]}\n\n")
    }

    /// Appends a sign of progress: an event-stream comment, or the first chunk if nothing was sent.
    func ping() {
        // A first chunk of the relay would have another id than the vendor's chunks.
        if mayBeNative { beginHead() }
        if exchange.hasBegun { out.append(": ping\n\n") } else { begin() }
    }

    private func beginHead() { if !exchange.hasBegun { exchange.beginEvents() } }

    private func begin() { begin(with: "") }

    func begin(with text: StaticString) {
        hasBegun = true
        beginHead()
        makeRoom()
        for choice in 0..<choices {
            open(choice)
            out.append("{\"role\":\"assistant\",\"content\":\"")
            if choice == 0 { out.append(text) }
            out.append("\"},\"finish_reason\":null}]}\n\n")
        }
    }

    private func makeRoom() { out.makeBatchRoom() }

    /// Begins a chunk of a choice, after the first chunks of the response.
    private func openChunk(of choice: Int) {
        if !hasBegun { begin() }
        makeRoom()
        open(choice)
    }

    private func open(_ choice: Int) {
        out.append(beginning)
        out.append(decimal: choice)
        out.append(#","delta":"#)
    }

    var isFull: Bool { out.count >= batchBytes }

    func flush() { exchange.send(batch: &out) }

    func end(_ usage: Usage) async {
        if includesUsage, !hasUsage { appendUsage(usage) }
        out.append("data: [DONE]\n\n")
        exchange.send(batch: &out)
        exchange.writer.end()
    }

    private func appendUsage(_ usage: Usage) {
        // The common beginning ends with members of a choice, which the usage chunk does not have.
        let text = beginning
        let end = isNative ? 0 : #","usage":null,"choices":[{"index":"#.utf8.count
        out.append(text[part: 0..<(text.count - end)])
        out.append(#","choices":[],"usage":"#)
        usage.appendJSON(to: &out)
        if let tier = usage.openAITier { out.append(#","service_tier":"#, json: tier) }
        out.append("}\n\n")
    }
}

private struct ToolCallKey: Hashable {
    let choice: Int
    let index: Int
}

extension ByteBuffer {
    /// Appends each line of the text as a comment of an event stream.
    mutating func append(comment text: UnsafeRawBufferPointer) {
        append(": ")
        for byte in text {
            if byte == 10 { append("\n: ") } else if byte != 13 { append(byte) }
        }
        append("\n\n")
    }
}
