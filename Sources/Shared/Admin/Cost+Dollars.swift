extension Cost {
    /// Parses an amount of dollars such as `0.25`, at most 1000; nil if the text is invalid.
    package init?(dollars text: String) {
        guard text.utf8.count <= 20, let units = Int(dollars: text[...], decimals: 12), units <= 1_000_000_000_000_000
        else { return nil }
        self.init(millionths: units)
    }
}
