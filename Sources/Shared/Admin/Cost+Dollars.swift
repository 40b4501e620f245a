extension Cost {
    /// Parses an amount of dollars such as `0.25`, at most 1000; nil if the text is invalid.
    package init?(dollars text: String) {
        guard text.utf8.count <= 20, !text.contains("/"), let price = Price(text) else { return nil }
        self.init(millionths: price.promptParts * 1_000)
    }
}
