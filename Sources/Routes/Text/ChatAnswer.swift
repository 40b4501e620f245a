import Engine
import Glibc
import Shared
import Upstream

/// One choice of an answer, bounded as the caller asked.
private struct Choice: Sendable {
    let text: Body
    let reason: OutputBound.Reason
    let usage: Usage
}

/// Asks for all choices at once and answers in one piece.
func answerChat(
    _ chat: any PreparedChat,
    _ wanted: WantedAnswer,
    _ responder: Responder
) async throws(UpstreamError) {
    let choices: [Choice]
    if wanted.choices == 1 {
        choices = [try await choice(chat, wanted, responder)]
    } else {
        choices = try await allChoices(wanted.choices) { (_) async throws(UpstreamError) in
            try await choice(chat, wanted, responder)
        }
    }
    let usage = Usage(
        promptTokens: choices.first?.usage.promptTokens ?? 0,
        completionTokens: choices.reduce(0) { $0 + $1.usage.completionTokens }
    )
    responder.record.usage = usage
    responder.cost = wanted.price?.cost(usage)
    let length = choices.reduce(512) { $0 + $1.text.bytes.count + 256 }
    var body = ByteBuffer()
    _ = body.reserve(min(length, Gateway.loopBytes))
    body.append(#"{"id":""#)
    responder.gateway.ids.appendID("chatcmpl-", into: &body)
    body.append(#"","object":"chat.completion","created":"#)
    body.append(decimal: time(nil))
    body.append(#","model":"#)
    body.append(json: wanted.model)
    guard length > Gateway.loopBytes else {
        append(choices, usage, to: &body)
        return responder.send(json: body)
    }
    let opening = Body(body)
    let whole = await responder.gateway.result(ofBytes: length) {
        var body = ByteBuffer()
        _ = body.reserve(length)
        body.append(opening.bytes)
        append(choices, usage, to: &body)
        return Body(body)
    }
    guard let whole else { throw .tooMuchWork }
    whole.read { responder.send(json: $0) }
}

private func append(_ choices: [Choice], _ usage: Usage, to body: inout ByteBuffer) {
    body.append(#","choices":["#)
    for (index, choice) in choices.enumerated() {
        body.append(index == 0 ? #"{"index":"# : #",{"index":"#)
        body.append(decimal: index)
        body.append(#","message":{"role":"assistant","content":"#)
        body.append(json: choice.text.bytes)
        body.append(#","refusal":null},"logprobs":null,"finish_reason":""#)
        body.append(choice.reason.name)
        body.append(#""}"#)
    }
    body.append(#"],"usage":"#)
    usage.appendJSON(to: &body)
    body.append("}")
}

private func choice(
    _ chat: any PreparedChat,
    _ wanted: WantedAnswer,
    _ responder: Responder
) async throws(UpstreamError) -> Choice {
    let reply: ChatReply
    do throws(UpstreamError) {
        reply = try await responder.attempt { () async throws(UpstreamError) in try await chat.answer() }
    } catch {
        responder.meter?.failed(error, after: Usage(promptTokens: chat.promptTokens, completionTokens: 0))
        throw error
    }
    let promptTokens = reply.usage?.promptTokens ?? chat.promptTokens
    let work = { @Sendable in bounded(reply, promptTokens, wanted) }
    guard let choice = await responder.gateway.result(ofBytes: reply.text.bytes.count, work) else { throw .tooMuchWork }
    responder.meter?.answered(choice.usage, credits: reply.credits)
    return choice
}

private func bounded(_ reply: ChatReply, _ promptTokens: Int, _ wanted: WantedAnswer) -> Choice {
    if let usage = reply.usage, wanted.stops.isEmpty, wanted.maxTokens == nil {
        return Choice(text: reply.text, reason: .stop, usage: usage)
    }
    var bound = OutputBound(stops: wanted.stops, maxTokens: wanted.maxTokens)
    var passed = ByteBuffer()
    bound.take(reply.text.bytes) { passed.append($0) }
    bound.finish { passed.append($0) }
    // The vendor counted what it wrote, not what was passed on.
    let counted = bound.reason == nil ? reply.usage?.completionTokens : nil
    return Choice(
        text: Body(passed),
        reason: bound.reason ?? .stop,
        usage: Usage(
            promptTokens: promptTokens,
            completionTokens: counted ?? bound.tokens
        )
    )
}

extension OutputBound.Reason {
    var name: StaticString {
        switch self {
        case .stop: "stop"
        case .length: "length"
        }
    }
}

extension Usage {
    func appendJSON(to body: inout ByteBuffer) {
        body.append(#"{"prompt_tokens":"#)
        body.append(decimal: promptTokens)
        body.append(#","completion_tokens":"#)
        body.append(decimal: completionTokens)
        body.append(#","total_tokens":"#)
        body.append(decimal: totalTokens)
        body.append("}")
    }
}
