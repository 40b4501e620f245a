package import Shared

extension SpeechCall {
    /// Creates a speech call that speaks the user's last text, in a voice that most models support.
    package init(_ chat: ChatCall) throws(APIError) {
        let text = chat.lastUserText
        try Self.check(length: text.utf8.count, "messages")
        self.init(model: chat.model, text: text, voice: "alloy", format: nil, speed: nil)
        try checkText("messages")
    }
}
