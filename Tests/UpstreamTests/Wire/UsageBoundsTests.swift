import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct UsageBoundsTests {
    @Test(
        "uses of hosted tools are at most those that the request allows, else a hundred",
        arguments: [
            (3, .webSearch, 3, 3), (3, .webSearch, 4, 3), (3, .webFetch, 4, 4), (3, .codeExecution, 101, 100),
            (nil, .webSearch, 100, 100), (nil, .webSearch, 101, 100), (nil, .fileSearch, 1_000_000, 100),
        ] as [(Int?, HostedTool, Int, Int)]
    )
    func toolUses(maxUses: Int?, tool: HostedTool, reported: Int, counted: Int) {
        var call = ChatCall()
        call.chatOptions.searchOptions =
            maxUses.map {
                [SearchOption(.maxUses, "max_uses", Body(ByteBuffer("\($0)")))]
            } ?? []
        var usage = Usage(promptTokens: 10, completionTokens: 5)
        usage.toolUses[tool] = reported
        var bounds = UsageBounds(call, anyModel)
        let checked = bounds.checked(usage)
        #expect(checked?.toolUses[tool] == counted)
        #expect(checked?.hasImpossibleFigure == (reported != counted))
        #expect(checked?.promptTokens == 10 && checked?.completionTokens == 5)
        bounds.addCall()
        #expect(bounds.checked(usage)?.toolUses[tool] == min(reported, 2 * (tool == .webSearch ? maxUses ?? 100 : 100)))
    }

    @Test(
        "reasoning may come on top of the request's limit if the model's largest output is not known",
        arguments: [
            (nil, 900, 800, 900), (nil, 900, 799, 0), (nil, 1_000_101, 1_000_001, 0), (nil, 100, 900, 0),
            (500, 500, 0, 500), (500, 600, 500, 0),
        ] as [(Int?, Int, Int, Int)]
    )
    func reasoningOnTop(largestOutput: Int?, completion: Int, reasoning: Int, counted: Int) {
        var call = ChatCall()
        call.maxTokens = 100
        let model = Model(
            id: "m",
            owner: "",
            features: .chat,
            hasVision: false,
            contextWindow: nil,
            maxOutputTokens: largestOutput
        )
        var usage = Usage(promptTokens: 10, completionTokens: completion)
        usage.reasoningTokens = reasoning
        #expect(UsageBounds(call, model).checked(usage)?.completionTokens == counted)
    }
}
