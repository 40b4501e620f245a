import Engine

/// The services that are needed to parse tool calls and structured output in a response.
package struct OutputParserContext: Sendable {
    let ids: RandomBytes
    let memory: MemoryBudget
    let worker: WorkQueue
    let loop: EventLoop
}
