import Engine
import Shared
import Upstream

/// The progress of a streamed response: its complete output items, and the number of events that were sent.
final class ResponseProgress: OnLoop, @unchecked Sendable {
    private(set) var object: ResponseObject
    var isStored: Bool
    /// The number of output items that are complete.
    private(set) var items = 0
    private var output = ByteBuffer()
    private var events = 0

    init(_ object: ResponseObject, isStored: Bool) {
        self.object = object
        self.isStored = isStored
    }

    var hasBegun: Bool { events > 0 }

    /// Counts an event of the vendor that goes on as it came, after which the relay may have to end the response.
    /// - Returns: the offset of the member `usage` in the last event of a response if its value is null; otherwise nil.
    func passed(_ event: UnsafeRawBufferPointer) -> Int? {
        let root = RawJSON(event.dataOfEvent)
        if events == 0, let begun = root["response"] { object.adopt(begun) }
        let number = root["sequence_number"].flatMap { Int($0.bytes.text) } ?? events
        events = max(1, number &+ 1)
        guard let type = root["type"]?.content, type == "response.completed" || type == "response.incomplete",
            let usage = root["response"]?["usage"], usage.isNull, let place = usage.bytes.baseAddress,
            let start = event.baseAddress
        else { return nil }
        return place - start
    }

    /// Appends the events with which each stream begins.
    func begin(in out: inout ByteBuffer) {
        for type: StaticString in ["response.created", "response.in_progress"] {
            append(type, .inProgress, to: &out)
        }
    }

    /// Appends the last event of a response that has not failed.
    func end(_ outcome: ResponseObject.Outcome, _ usage: Usage, in out: inout ByteBuffer) {
        append(outcome.isWhole ? "response.completed" : "response.incomplete", outcome, usage, to: &out)
    }

    /// Appends an event with the whole response.
    func append(
        _ type: StaticString,
        _ outcome: ResponseObject.Outcome,
        _ usage: Usage? = nil,
        to out: inout ByteBuffer
    ) {
        open(type, in: &out)
        out.append(#","response":"#)
        append(outcome, usage, to: &out)
        out.append("}\n\n")
    }

    /// Appends an event about the output item that is being written.
    func append(_ type: StaticString, item: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        open(type, in: &out)
        out.append(#","output_index":"#, decimal: items)
        out.append(#","item":"#, item, "}\n\n")
    }

    /// The size of the complete output items as JSON, in bytes.
    var outputBytes: Int { output.count }

    /// Appends the type and sequence number of the next event. The JSON object stays open.
    func open(_ type: StaticString, in out: inout ByteBuffer) {
        out.append("event: ", type, "\ndata: {\"type\":\"")
        out.append(type)
        out.append(#"","sequence_number":"#, decimal: events)
        events += 1
    }

    func add(_ item: UnsafeRawBufferPointer) {
        if items > 0 { output.append(",") }
        output.append(item)
        items += 1
    }

    func append(_ outcome: ResponseObject.Outcome, _ usage: Usage?, to out: inout ByteBuffer) {
        object.append(outcome, output: output.bytes, usage, isStored: isStored, to: &out)
    }
}

/// The surface of a failed response, which writes the error as an event or a JSON body.
struct FailedResponse: Surface {
    let progress: ResponseProgress

    // Codex shortens the conversation only if an event says that the prompt is too long.
    func streams(_ error: APIError) -> Bool { error.isOfContextLength }

    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        guard isMidStream else { return OpenAIResponses().append(error, isMidStream: false, to: &body) }
        progress.isStored = false
        if !progress.hasBegun { progress.begin(in: &body) }
        progress.append("response.failed", .failed(error), to: &body)
    }
}
