import Engine
package import Shared

extension Registry.Candidate {
    /// The model chats, rather than make images or speak.
    package var chats: Bool { !model.features.isDisjoint(with: [.chat, .code]) }

    /// Images that a chat makes.
    package var imagesOfChat: Int {
        guard !chats, model.features.contains(.image) else { return 0 }
        return (provider as? any ImageProvider)?.imagesPerCall(of: model) ?? 0
    }

    /// The vendor's form of a call. What a model makes that does not chat is answered by links.
    package func prepare(
        _ call: consuming ChatCall,
        _ memory: @autoclosure () -> ImageMemory
    ) throws(APIError) -> any PreparedChat {
        if chats { return provider.prepare(call, for: model, key: credential.key) }
        do throws(APIError) {
            return try prepareLinks(call, memory())
        } catch {
            // Whatever is wrong stands in a message.
            var error = error
            if error.param != "model" && error.param != "n" { error.param = "messages" }
            throw error
        }
    }

    private func prepareLinks(_ call: ChatCall, _ memory: ImageMemory) throws(APIError) -> any PreparedChat {
        guard call.choices == 1 else {
            throw .value("n", "this model makes one answer only", code: "unsupported_value")
        }
        let prompt = call.messages.last { $0.role == .user }?.text ?? ""
        if model.features.contains(.image), let provider = provider as? any ImageProvider {
            let call = try ImageCall(call, model)
            let images = try provider.prepare(call, for: model, key: credential.key)
            return LinkChat(prompt: prompt) { [self] () async throws(UpstreamError) in
                var (call, images) = (call, images)
                let recalled = await memory.recalled(call)
                // What does not fit this model is left out.
                if let alike = try? provider.prepare(recalled, for: model, key: credential.key) {
                    (call, images) = (recalled, alike)
                }
                try await images.begin()
                let made = try await images.images(ofCall: 0)
                memory.remember(made.files, madeBy: call)
                let lines = made.files.enumerated()
                    .map { "![Image \($0.offset + 1)](\($0.element.address))" }
                return (lines.joined(separator: "\n"), made.credits)
            }
        }
        guard let provider = provider as? any SpeechProvider else { throw .modelNotFound(call.model) }
        let speech = try provider.prepare(SpeechCall(call), for: model, key: credential.key)
        return LinkChat(prompt: prompt) { () async throws(UpstreamError) in
            let spoken = try await speech.address()
            return ("\u{1f50a} [Audio.mp3](\(spoken.address))", spoken.credits)
        }
    }
}

extension ChatCall {
    /// Links are given whole.
    package mutating func isAnsweredByLinks() {
        maxTokens = nil
        stops = []
    }
}

/// A chat whose answer is made by something else, and comes in one piece.
///
/// `@unchecked`: used on its loop only.
private final class LinkChat: PreparedChat, ChatStream, @unchecked Sendable {
    typealias Making = @Sendable () async throws(UpstreamError) -> (text: String, credits: Int?)

    let promptTokens: Int
    let usage: Usage? = nil
    private(set) var credits: Int?
    private let making: Making
    private var text: String?

    init(prompt: String, _ making: @escaping Making) {
        var estimate = TokenEstimate()
        estimate.add(prompt)
        promptTokens = max(1, estimate.tokens)
        self.making = making
    }

    func answer() async throws(UpstreamError) -> ChatReply {
        let made = try await making()
        return ChatReply(text: Body(ByteBuffer(made.text)), usage: nil, credits: made.credits)
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        let made = try await making()
        text = made.text
        credits = made.credits
        return self
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { text == nil ? .end : .bytes }

    func next(_ piece: (UnsafeRawBufferPointer) -> Void) throws(UpstreamError) -> Bool {
        guard var text else { return false }
        self.text = nil
        text.withUTF8 { piece(UnsafeRawBufferPointer($0)) }
        return true
    }

    func stop() {}
}
