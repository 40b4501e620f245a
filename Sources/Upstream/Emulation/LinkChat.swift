import Engine
package import Shared

extension Candidate {
    /// Whether the model is a chat model, and not a model for images or speech.
    package var chats: Bool { !model.features.isDisjoint(with: [.chat, .code]) }

    /// The number of images that one chat with an image model makes; 0 for other models.
    package var imagesOfChat: Int {
        guard !chats, model.features.contains(.image) else { return 0 }
        return images?.imagesPerCall(of: model) ?? 0
    }

    /// Makes the plan for a chat whose response contains links to images or speech.
    package func links(_ call: ChatCall, _ memory: @autoclosure () -> ImageMemory) throws(APIError) -> LinkPlan {
        do throws(APIError) {
            return try planned(call, memory())
        } catch {
            // The invalid value comes from a message.
            var error = error
            if error.param != "model" && error.param != "n" { error.param = "messages" }
            throw error
        }
    }

    private func planned(_ call: ChatCall, _ memory: ImageMemory) throws(APIError) -> LinkPlan {
        guard call.choices == 1 else { throw .unsupportedValue("n", "this model supports only one choice") }
        let prompt = call.lastUserText
        if model.features.contains(.image), let provider = images {
            let call = try ImageCall(call, model)
            let images = try provider.prepare(call, for: model)
            return LinkPlan(prompt: prompt) { [model] (attempt) async throws(UpstreamError) in
                var images = images
                let recalled = await memory.recalled(call)
                // Options of the earlier image that this model does not support are left out.
                if let alike = try? provider.prepare(recalled, for: model) { images = alike }
                try await images.begin(with: call.image, mask: nil, by: attempt)
                let made = try await images.images(ofCall: 0, by: attempt)
                memory.remember(made.files, madeBy: images.call)
                let lines = made.files.enumerated().map { "![Image \($0.offset + 1)](\($0.element.address))" }
                return (lines.joined(separator: "\n"), made.credits)
            }
        }
        guard let provider = speech else { throw .modelNotFound(call.model) }
        let speech = try provider.prepare(SpeechCall(call), for: model)
        return LinkPlan(prompt: prompt) { (attempt) async throws(UpstreamError) in
            let spoken = try await speech.address(by: attempt)
            return ("\u{1f50a} [Audio.mp3](\(spoken.address))", spoken.credits)
        }
    }
}

/// A plan that makes images or speech for a chat, and links to them as the chat's response.
package struct LinkPlan: Sendable {
    fileprivate typealias Making = @Sendable (Attempt) async throws(UpstreamError) -> (text: String, credits: Int?)

    fileprivate let prompt: String
    fileprivate let making: Making

    package var prepared: any PreparedChat { LinkChat(self) }
}

extension ChatCall {
    /// Adapts the call to a response that consists only of links: removes options such as stop sequences.
    package mutating func isAnsweredByLinks() {
        maxTokens = nil
        stops = []
        needs.subtract([.stops, .tokenBound, .demands])
    }
}

/// A chat whose response consists of links to images or speech and arrives as one chunk.
private final class LinkChat: PreparedChat, OnLoop, @unchecked Sendable {
    let promptTokens: Int
    private let plan: LinkPlan

    init(_ plan: LinkPlan) {
        var estimate = TokenEstimate()
        estimate.add(plan.prompt)
        promptTokens = max(1, estimate.tokens)
        self.plan = plan
    }

    private func made(by attempt: Attempt) async throws(UpstreamError) -> (text: String, credits: Int?) {
        do throws(UpstreamError) {
            return try await attempt.retrying { () async throws(UpstreamError) in try await plan.making(attempt) }
        } catch {
            var error = error
            // A chat request has no field in which the client could send the missing values.
            if !error.missingFields.isEmpty {
                error.param = nil
            } else if error.param != nil, error.param != "model" {
                error.param = "messages"
            }
            throw error
        }
    }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let made = try await made(by: attempt)
        let log = EventLog()
        made.text.withBytes { log.append(0, .text($0)) }
        log.append(0, .finish(.stop, stop: nil))
        return LoggedStream(log, usage: nil, credits: made.credits)
    }
}
