/// The current work of a lane.
enum Round {
    case none
    /// A check whether the server is available again.
    case probe
    /// A reading of the server's clock.
    case measure(epoch: Int)
    case serve(Serving)

    /// The calls for a batch of accounts, in the order of their store keys.
    ///
    /// `@unchecked`: used only while the ledger's lock is held.
    final class Serving: @unchecked Sendable {
        let accounts: [Account]
        let epoch: Int
        /// The accounts to be read first.
        var unread: [Account]
        /// Whether the reading was already tried again with a new connection.
        var isReadAnew = false
        /// The records read, if one of them may be too far ahead. The store's clock is read before they are used.
        var doubtful: [FoundRecord] = []
        /// The writes under way.
        var writing: [WritePlan] = []
        /// The accounts of `writing` whose records are read again in the same call.
        var contended: [Account] = []
        /// The accounts read after a write of this round. The round does not write them again, because others wait for
        /// its end.
        var reread: [Account] = []

        init(_ accounts: [Account], unread: [Account], epoch: Int) {
            self.accounts = accounts
            self.unread = unread
            self.epoch = epoch
        }

        func isRead(_ account: Account) -> Bool { !unread.contains { $0 === account } }
    }
}
