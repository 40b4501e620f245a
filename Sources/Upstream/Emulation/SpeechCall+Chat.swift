package import Calls
package import Shared

extension SpeechCall {
    /// The last text of the user, in a voice that most models know.
    package init(_ chat: ChatCall) throws(APIError) {
        let text = chat.lastUserText
        try Self.check(length: text.utf8.count, "messages")
        self.init(model: chat.model, text: text, voice: "alloy", format: nil, speed: nil)
        try checkText("messages")
    }
}
