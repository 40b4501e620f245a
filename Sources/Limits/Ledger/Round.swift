/// The present work of a lane.
enum Round {
    case none
    /// Looks whether the server can be reached again.
    case probe
    /// Asks what time it is there.
    case measure(epoch: Int)
    case serve(Serving)

    /// Calls for a batch of accounts, in the order of their store keys.
    ///
    /// `@unchecked`: reached with the ledger's lock held only.
    final class Serving: @unchecked Sendable {
        let accounts: [Account]
        let epoch: Int
        /// The accounts to be read first.
        var unread: [Account]
        /// The reading was tried with a second connection.
        var isReadAnew = false
        /// Read, but with a record of which only the store's clock tells whether it is too far ahead.
        var doubtful: [Found] = []
        /// The writes under way.
        var writing: [WritePlan] = []
        /// Of these the ones whose records are read after that.
        var contended: [Account] = []
        /// Read so in this round, which does not write them again: others wait for its end.
        var reread: [Account] = []

        init(_ accounts: [Account], unread: [Account], epoch: Int) {
            self.accounts = accounts
            self.unread = unread
            self.epoch = epoch
        }

        func isRead(_ account: Account) -> Bool { !unread.contains { $0 === account } }
    }
}
