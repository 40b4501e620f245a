import Testing

@testable import Shared

@Suite struct ImageTokensTests {
    @Test(
        "pictures count by tiles",
        arguments: [
            (1, 1, 255), (512, 512, 255), (513, 512, 425), (1_024, 1_024, 765), (2_048, 4_096, 1_105),
            (4_096, 8_192, 1_105), (1 << 30, 1, 765), (800, 800, 765), (768, 1_536, 1_105),
        ]
    )
    func tokens(width: Int, height: Int, tokens: Int) {
        #expect(ImageSize(width: width, height: height).tokens == tokens)
    }
}
