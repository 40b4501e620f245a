/// The current work of a lane, which makes the ledger's calls to one server of the store.
enum Round {
    case none
    /// A check whether the lane's server of the store is available again.
    case probe
    /// A reading of the clock of the lane's server of the store. It is not used if the server has failed since, so that
    /// its `epoch` differs.
    case measure(epoch: Int)
    case serve(Serving)

    /// The work on a batch of accounts: their records are read and written, in the order of their keys in the store.
    ///
    /// `@unchecked`: used only while the ledger's lock is held.
    final class Serving: @unchecked Sendable {
        let accounts: [Account]
        let epoch: Int
        /// The accounts whose records must still be read.
        var unread: [Account]
        /// Whether the read was already tried again with a new connection.
        var isReadAnew = false
        /// The records that were read, if the newest bucket of one of them may be too far in the future; otherwise
        /// empty. The store's clock is read before these records are used.
        var doubtful: [FoundRecord] = []
        /// The writes to the store that are under way.
        var writing: [WritePlan] = []
        /// The accounts of `writing` whose records are also read in the same call, because other instances write them,
        /// too.
        var contended: [Account] = []
        /// The accounts whose records were read again after a write of this batch. The batch does not write them a
        /// second time, because other accounts wait for its end.
        var reread: [Account] = []

        init(_ accounts: [Account], unread: [Account], epoch: Int) {
            self.accounts = accounts
            self.unread = unread
            self.epoch = epoch
        }

        func isRead(_ account: Account) -> Bool { !unread.contains { $0 === account } }
    }
}
