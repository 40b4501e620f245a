/// A round of a lane: a series of calls to the lane's server of the store.
enum Round {
    case none
    /// A check whether the lane's server of the store is available again.
    case probe
    /// A reading of the server's clock. It is abandoned if the server fails meanwhile, which changes its `epoch`.
    case measure(epoch: Int)
    case serve(Serving)

    /// The work of a lane on a batch of accounts: the reads and writes of their records.
    ///
    /// `@unchecked`: used only while the ledger's lock is held.
    final class Serving: @unchecked Sendable {
        let accounts: [Account]
        let epoch: Int
        /// The accounts whose records must still be read.
        var unread: [Account]
        /// Whether reading the records was already tried again with a new connection.
        var isReadAnew = false
        /// The records that were read, if one of them seems to be too far in the future; otherwise empty. They are used
        /// after a comparison with the store's clock.
        var doubtful: [FoundRecord] = []
        /// The writes to the store that are under way.
        var writing: [WritePlan] = []
        /// The accounts whose records the current store call writes and then reads again.
        var contended: [Account] = []
        /// The accounts whose records were written and read again in this round.
        var reread: [Account] = []

        init(_ accounts: [Account], unread: [Account], epoch: Int) {
            self.accounts = accounts
            self.unread = unread
            self.epoch = epoch
        }

        func isRead(_ account: Account) -> Bool { !unread.contains { $0 === account } }
    }
}
