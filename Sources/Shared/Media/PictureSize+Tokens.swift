extension PictureSize {
    /// Of a picture whose size is not known: 1024 x 1024.
    package static let unknownTokens = 765
    /// Of one that is looked at from afar.
    package static let lowDetailTokens = 85

    private static let mostSide = 2_048
    private static let mostShortSide = 768
    private static let tileSide = 512

    /// By OpenAI's published rule: the picture is made to fit a square of 2048, then its shorter side 768; each tile of 512
    /// costs 170, and the whole 85.
    package var tokens: Int {
        var (width, height) = (width, height)
        if max(width, height) > Self.mostSide {
            let longest = max(width, height)
            (width, height) = (width * Self.mostSide / longest, height * Self.mostSide / longest)
        }
        if min(width, height) > Self.mostShortSide {
            let shortest = min(width, height)
            (width, height) = (width * Self.mostShortSide / shortest, height * Self.mostShortSide / shortest)
        }
        func tiles(_ side: Int) -> Int { max(1, (side + Self.tileSide - 1) / Self.tileSide) }
        return Self.lowDetailTokens + 170 * tiles(width) * tiles(height)
    }
}
