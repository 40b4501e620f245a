package import Engine

/// The parts of the process and of the loop that reading an answer for its form takes.
package struct FormMeans: Sendable {
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
