import Engine
import Glibc
import Shared
import Upstream

/// Fuzzes models' output. It gives the same calls and texts however it is cut, in a number of steps that its length
/// bounds. No text without calls is lost. Arguments are objects of existing tools. The same holds for structured
/// output. The first two bytes control the cuts.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzToolAnswer(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: data, count: count)
    let steering = (Int(input[0]), Int(input[1]))
    var response = ByteBuffer()
    response.append(input[part: 2..<count])
    var found = ParsedToolCall()
    let steps = StepCount.of { found = read(response.bytes, span: response.count + 1, seed: 0) }
    demand(steps <= stepsPerByte * response.count + fewSteps, "\(steps) steps for \(response.count) bytes")
    let cut = read(response.bytes, span: 1 + steering.0 % 32, seed: steering.1)
    demand(cut == found, "in pieces \(cut), whole \(found)")
    if found.calls.isEmpty { demand(found.text == Array(response.bytes), "a text of \(found.text.count) bytes") }
    let document = structured(response.bytes, span: response.count + 1, seed: 0)
    demand(structured(response.bytes, span: 1 + steering.0 % 32, seed: steering.1) == document, "another document")
    return 0
}

private let stepsPerByte = 8
/// The number of steps that is allowed for any length.
private let fewSteps = 2_000

private struct ParsedToolCall: Equatable {
    var calls: [String] = []
    /// The text, including broken calls.
    var text: [UInt8] = []
}

private let schemaText =
    #"{"type":"object","properties":{"q":{"type":["string","integer"]}},"additionalProperties":false}"#

private let instructions: ToolProtocol = {
    let text = ByteBuffer(schemaText)
    let parser = JSONParser()
    let schema = (try? parser.parse(text.bytes)).flatMap { try? JSONSchema($0) }
    return ToolProtocol([
        ToolDefinition(name: "search", description: nil, parameters: schemaText, schema: schema),
        ToolDefinition(name: "noop", description: nil, parameters: nil, schema: nil),
    ])
}()

private func forEachPiece(
    _ response: UnsafeRawBufferPointer,
    span: Int,
    seed: Int,
    _ body: (UnsafeRawBufferPointer) -> Void
) {
    var (position, state) = (0, UInt32(seed))
    while position < response.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        let end = min(response.count, position + 1 + (span > response.count ? response.count : Int(state >> 16) % span))
        // The block has exactly the size of the bytes, so that the sanitizer detects each read past its end.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: end - position, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: response[part: position..<end])
        body(UnsafeRawBufferPointer(copy))
        position = end
    }
}

private func read(_ response: UnsafeRawBufferPointer, span: Int, seed: Int) -> ParsedToolCall {
    var parser = ToolCallParser(instructions, ids: RandomBytes())
    var found = ParsedToolCall()
    func pass(_ event: ToolEvent) {
        switch event {
        case .text(let bytes): found.text += bytes
        case .call(let call):
            demand(call.name == "search" || call.name == "noop", "a tool \(call.name)")
            let text = ByteBuffer(call.arguments)
            let json = JSONParser()
            demand((try? json.parse(text.bytes))?.kind == .object, "arguments \(call.arguments)")
            found.calls.append(call.name + call.arguments)
        case .broken(let raw, let reason):
            demand(!reason.isEmpty, "no reason")
            found.text += raw
        }
    }
    forEachPiece(response, span: span, seed: seed) { parser.consume($0, pass) }
    parser.finish(pass)
    return found
}

private func structured(_ response: UnsafeRawBufferPointer, span: Int, seed: Int) -> StructuredOutputParser.Validation {
    var machine = StructuredOutputParser(.object)
    forEachPiece(response, span: span, seed: seed) { machine.consume($0) }
    let validation = machine.finish()
    if case .document(let document) = validation {
        let text = ByteBuffer(document)
        let json = JSONParser()
        demand((try? json.parse(text.bytes))?.kind == .object, "a document \(document)")
    }
    return validation
}

private func demand(_ isSo: Bool, _ text: @autoclosure () -> String) {
    if isSo { return }
    print("property broken: \(text())")
    fflush(nil)
    abort()
}
