extension ImageSize {
    /// The number of tokens for an image of unknown size, which counts as an image of 1024 x 1024 pixels.
    package static let unknownTokens = 765
    /// The tokens of an image that the model sees with low detail.
    package static let lowDetailTokens = 85

    private static let maxSide = 2_048
    private static let maxShortSide = 768
    private static let tileSide = 512

    /// The number of tokens that the image uses, by OpenAI's published rule.
    ///
    /// The rule first scales the image down to fit into 2048 x 2048 pixels. If the shorter side is still longer than
    /// 768 pixels, the rule scales the image down to 768 pixels on this side. Each tile of 512 x 512 pixels costs 170
    /// tokens, and the image costs 85 more.
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
