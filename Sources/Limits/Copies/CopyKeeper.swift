import Engine
import Synchronization

/// An object that saves the records of limits of a day or longer in a database, and reads them if the store has none. A
/// thread does the work.
package final class CopyKeeper: Sendable {
    private static let pauseMilliseconds = 1_000
    private static let batchBound = 500

    private let limiter: Limiter
    private let database: any RecordCopies
    private let onFailure: @Sendable (_ cause: String?) -> Void
    private let thread = Worker()
    private let signal = Signal()
    private let isEnding = Atomic(false)

    /// Creates the keeper. Call `start` before the first request.
    /// - Parameter onFailure: called on the keeper's thread when the database fails, with the cause, and with nil when it
    ///   works again.
    package init(
        of limiter: Limiter,
        in database: any RecordCopies,
        onFailure: @escaping @Sendable (_ cause: String?) -> Void
    ) {
        self.limiter = limiter
        self.database = database
        self.onFailure = onFailure
    }

    package func start() {
        limiter.keepCopies { [signal] in signal.wake() }
        thread.begin { self.run() }
    }

    /// Saves all records that have changed, and stops the thread. Blocks.
    package func stop() {
        isEnding.store(true, ordering: .releasing)
        signal.wake()
        thread.join()
    }

    private func run() {
        var saveAt = LoopTime.current()
        var isFailing = false
        while true {
            let isLast = isEnding.load(ordering: .acquiring)
            do throws(StoreFailure) {
                var isUsed = try answer()
                if isLast || LoopTime.current() >= saveAt {
                    saveAt = LoopTime.current().adding(milliseconds: Self.pauseMilliseconds)
                    if try save() { isUsed = true }
                }
                if isUsed, isFailing {
                    isFailing = false
                    onFailure(nil)
                }
            } catch {
                if !isFailing { onFailure(error.reason) }
                isFailing = true
            }
            if isLast { return }
            signal.wait(until: saveAt)
        }
    }

    /// Reads the copies for which the ledger has asked. Returns whether there were any.
    private func answer() throws(StoreFailure) -> Bool {
        let asked = limiter.ledger.update { ledger, _ in ledger.takeAsked() }
        if asked.isEmpty { return false }
        do throws(StoreFailure) {
            let copies = try database.read(asked.map(\.storeKey))
            let found = Dictionary(copies.map { ($0.key, $0) }) { $1 }
            limiter.ledger.update { $0.took(found, for: asked, at: $1) }
            return true
        } catch {
            limiter.ledger.update { $0.took(nil, for: asked, at: $1) }
            throw error
        }
    }

    /// Saves the records that have changed. Returns whether there were any.
    private func save() throws(StoreFailure) -> Bool {
        var isUsed = false
        while true {
            let changed = limiter.ledger.update { ledger, _ in ledger.takeChanged(atMost: Self.batchBound) }
            if changed.isEmpty { return isUsed }
            do throws(StoreFailure) {
                // Instances that save the same records at once wait for each other, but not in a circle.
                try database.save(changed.map(\.copy).sorted { $0.key < $1.key })
            } catch {
                limiter.ledger.update { ledger, _ in for record in changed { ledger.mustSave(record.account) } }
                throw error
            }
            isUsed = true
            // Requests wait for their copies.
            _ = try answer()
        }
    }
}
