extension ImageSize {
    package static let unknownTokens = 765
    package static let lowDetailTokens = 85

    private static let maxSide = 2_048
    private static let maxShortSide = 768
    private static let tileSide = 512

    /// The number of tokens that the image uses, by OpenAI's published rule.
    package var tokens: Int {
        var (width, height) = (width, height)
        if max(width, height) > Self.maxSide {
            let longest = max(width, height)
            (width, height) = (width * Self.maxSide / longest, height * Self.maxSide / longest)
        }
        if min(width, height) > Self.maxShortSide {
            let shortest = min(width, height)
            (width, height) = (width * Self.maxShortSide / shortest, height * Self.maxShortSide / shortest)
        }
        func tiles(_ side: Int) -> Int { max(1, (side + Self.tileSide - 1) / Self.tileSide) }
        return Self.lowDetailTokens + 170 * tiles(width) * tiles(height)
    }
}
