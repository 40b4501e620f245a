package import Engine

/// The services that are needed to parse tool calls and structured output in a response.
package struct OutputParserContext: Sendable {
    let ids: RandomBytes
    let memory: MemoryBudget
    let worker: WorkQueue
    let loop: EventLoop

    package init(ids: RandomBytes, memory: MemoryBudget, worker: WorkQueue, loop: EventLoop) {
        self.ids = ids
        self.memory = memory
        self.worker = worker
        self.loop = loop
    }
}
