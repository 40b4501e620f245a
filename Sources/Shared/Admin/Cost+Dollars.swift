extension Cost {
    /// Reads an amount of dollars, at most a thousand, with at most nine decimals: `0.25`. Returns nil if the text is
    /// not such an amount.
    package init?(dollars text: String) {
        guard text.utf8.count <= 20, !text.contains("/"), let price = Price(text) else { return nil }
        self.init(millionths: price.promptParts * 1_000)
    }
}
