import Engine
import Shared

/// A chat with tools and structured output, for a vendor that supports only text.
final class PromptedToolsChat: PreparedChat, OnLoop, @unchecked Sendable {
    private let chat: any PreparedChat
    private let repair: Repair

    init(_ chat: any PreparedChat, _ repair: Repair) {
        self.chat = chat
        self.repair = repair
    }

    func write() { chat.write() }
    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        PromptedToolsStream(
            try await chat.open(isStreamed: isStreamed, by: attempt),
            repair,
            promptTokens: repair.count.estimate(of: chat),
            isStreamed: isStreamed,
            by: attempt
        )
    }
}

/// The data for a repair call, which asks the model to correct an invalid response.
struct Repair: Sendable {
    /// The original call, whose prompt describes the tools and the format. Its response may need a repair.
    let call: ChatCall
    let form: TextProtocol
    let context: OutputParserContext
    let count: CallCount
    /// Prepares the repair call for the vendor, after the invalid response was billed.
    let preparing: @Sendable (ChatCall, Attempt) async throws(UpstreamError) -> any PreparedChat
}

/// The services that are needed to parse tool calls and structured output in a response.
package struct OutputParserContext: Sendable {
    let ids: RandomBytes
    let memory: MemoryBudget
    let worker: WorkQueue
    let loop: EventLoop
}
