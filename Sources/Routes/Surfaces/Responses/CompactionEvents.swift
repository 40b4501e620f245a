import Engine
import Shared
import Upstream

/// A writer of the events of a streamed compaction. It collects the model's summary, and sends one encrypted item.
final class CompactionEvents: BatchWriter, OnLoop, @unchecked Sendable {
    private let formatter: ResponsesFormatter
    let exchange: Exchange
    private let progress: ResponseProgress
    var out = ByteBuffer()
    private var summary = ByteBuffer()
    /// The compaction that the vendor itself has encrypted; nil if the vendor returned none.
    private var block: ReasoningBlock?
    private var outcome = ResponseObject.Outcome.finished(.stop)
    private var reservation: MemoryReservation?
    private(set) var failure: UpstreamError?

    init(_ formatter: ResponsesFormatter, _ object: ResponseObject, exchange: Exchange) {
        self.formatter = formatter
        self.exchange = exchange
        progress = ResponseProgress(object, isStored: formatter.mayStore(exchange))
        exchange.surface = FailedResponse(progress: progress)
        exchange.keepsBody = progress.isStored
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        guard choice == 0, failure == nil else { return }
        switch event {
        case .text(let text, _): if covers(text.count) { summary.append(text) }
        case .encryptedReasoning(let text):
            guard covers(text.count), let made = ReasoningBlock("", signature: text.text, isSealed: true) else {
                return
            }
            if made.isCompaction { block = made }
        case .finish(let reason, _): outcome = .finished(reason)
        default: break
        }
    }

    /// Returns whether this piece of output fits into the memory budget and the size limit of a response. If it does
    /// not, sets `failure`.
    private func covers(_ count: Int) -> Bool {
        let bytes = summary.count + count
        if bytes > ChatResponse.limitBytes {
            failure = UpstreamError(.failed, cause: "the vendor's response is too long")
        } else if bytes > MemoryBudget.smallBytes, !exchange.gateway.memory.covers(4 * bytes, &reservation) {
            failure = UpstreamError(TransportError(.overloaded))
        }
        return failure == nil
    }

    func ping() {
        if progress.hasBegun { out.append(": ping\n\n") } else { begin() }
    }

    private func begin() {
        exchange.beginEvents()
        progress.begin(in: &out)
    }

    var isFull: Bool { failure != nil || hasBatch }

    func end(_ usage: Usage) async {
        var choice = ChatResponse.Choice(text: Body(copying: summary.bytes))
        if let block { choice.reasoningBlocks = [block] }
        do throws(UpstreamError) {
            let item = try await formatter.compaction(choice, of: progress.object, exchange)
            if !progress.hasBegun { begin() }
            progress.append("response.output_item.added", item: item.bytes, to: &out)
            progress.append("response.output_item.done", item: item.bytes, to: &out)
            progress.add(item.bytes)
            await formatter.store(progress, outcome, usage, exchange)
            progress.end(outcome, usage, in: &out)
            sendEnd()
        } catch {
            flush()
            exchange.fail(APIError(error, model: progress.object.model))
        }
    }
}
