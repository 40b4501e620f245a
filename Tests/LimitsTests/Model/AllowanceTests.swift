import Limits
import Testing

@Suite struct AllowanceTests {
    @Test("a response goes on, draws as much again from three quarters on, and ends only when nothing is free")
    func steps() {
        #expect(Allowance(counted: 749, reserved: 1_000).step == .goOn)
        #expect(Allowance(counted: 750, reserved: 1_000).step == .draw(1_024))
        #expect(Allowance(counted: 3_000, reserved: 4_000).step == .draw(4_000))
        #expect(Allowance(counted: 3_000, reserved: 4_000, free: 100).step == .draw(100))
        #expect(Allowance(counted: 3_000, reserved: 4_000, free: 63).step == .goOn)
        #expect(Allowance(counted: 4_000, reserved: 4_000, free: 63).step == .end)
        #expect(Allowance(counted: 4_000, reserved: 4_000, free: 64).step == .draw(64))
    }

    @Test("the vendor ends at a bound that is reserved, however the relay counts")
    func bounds() {
        #expect(Allowance(counted: 1_250, reserved: 1_000, free: 0, bound: 1_000).step == .goOn)
        #expect(Allowance(counted: 2_000, reserved: 1_000, free: 0, bound: 1_000).step == .end)
        #expect(Allowance(counted: 900, reserved: 1_000, bound: 1_010).step == .draw(10))
        #expect(Allowance(counted: 900, reserved: 1_000, free: 5, bound: 1_010).step == .goOn)
    }

    @Test("pieces that are on their way are left out of what may be used")
    func pieces() {
        var allowance = Allowance(counted: 899, reserved: 1_000, free: 0)
        allowance.onTheirWay = 100
        #expect(allowance.step == .goOn)
        allowance.counted = 900
        #expect(allowance.step == .end)
    }

    @Test("a response draws at most log2(n / likely) + 1 times", arguments: [257, 1_000, 30_000, 128_000])
    func draws(length: Int) {
        var allowance = Allowance(reserved: 1_024)
        var draws = 0
        while allowance.counted < length {
            if case .draw(let tokens) = allowance.step {
                draws += 1
                allowance.reserved += tokens
            }
            allowance.counted += 1
        }
        var most = 1
        while 1_024 << (most - 1) < length { most += 1 }
        #expect(draws <= most)
    }
}

@Suite struct LikelyOutputTests {
    private let charge = LimitCharge(Limit(.total, Quota(10_000, .tokens, per: .hour)), .everybody)

    private func output(likely: Int, asked: Int?, isSeen: Bool, demanding: Int = 0) -> LikelyOutput {
        let needs = OutputNeeds(
            usual: Amounts(tokens: 50),
            dearest: Amounts(tokens: 100),
            perMillion: Amounts(tokens: 2_000_000)
        )
        return LikelyOutput(likely: likely, asked: asked, demanding: demanding, isSeen: isSeen, needs)
    }

    private func units(_ output: LikelyOutput) -> [Int]? {
        output.charge(charge).map { [$0.units, $0.wish, $0.largeWish] }
    }

    @Test("calls of one request reserve what each can make, and share it so")
    func calls() {
        let one = output(likely: 500, asked: nil, isSeen: true)
        let other = output(likely: 500, asked: 8_000, isSeen: false)
        let both = one + other
        #expect(units(both) == [2_100, 8_200, 24_392])
        #expect([12_096, 1_000, 400].map { both.share(of: $0, for: one) } == [4_096, 500, 200])
        #expect([12_096, 1_000, 400].map { both.share(of: $0, for: other) } == [8_000, 500, 200])
    }

    @Test("a seen stream reserves what is likely, a whole response up to its bound")
    func wishes() {
        #expect(units(output(likely: 500, asked: 32_000, isSeen: true)) == [1_050, 1_100, 1_100])
        #expect(units(output(likely: 500, asked: 32_000, isSeen: false)) == [1_050, 4_100, 64_100])
        #expect(units(output(likely: 500, asked: 300, isSeen: false)) == [650, 700, 700])
        #expect(units(output(likely: 500, asked: nil, isSeen: false)) == [1_050, 4_100, 8_292])
        #expect(units(output(likely: 500, asked: 32_000, isSeen: true, demanding: 1_000)) == [3_050, 3_100, 3_100])
    }

    @Test("what is likely is at most what the limit pays beside the prompt, but not less than what is demanded")
    func fits() {
        var long = output(likely: 30_000, asked: nil, isSeen: true)
        long.fit([charge])
        #expect(long.likely == 4_975 && units(long)?.first == 10_000)
        var demanding = output(likely: 10, asked: nil, isSeen: true, demanding: 6_000)
        demanding.fit([charge])
        #expect(demanding.likely == 6_000)
    }

    @Test("the units of output are rounded up, and what they pay is rounded down, without overflow")
    func conversion() {
        let need = OutputNeed(usualPrompt: 0, dearestPrompt: 0, perMillion: 25_000_000_000)
        #expect(need.units(ofOutput: 32_000) == 800_000_000 && need.output(paidBy: 800_000_000) == 32_000)
        #expect(need.units(ofOutput: .max) == Quota.countBound)
        #expect(OutputNeed(usualPrompt: 0, dearestPrompt: 0, perMillion: 1).units(ofOutput: 1) == 1)
        #expect(OutputNeed(usualPrompt: 0, dearestPrompt: 0, perMillion: 0).output(paidBy: 0) == Quota.countBound)
        for tokens in stride(from: 0, through: 1_000_000, by: 7_777) {
            #expect(need.output(paidBy: need.units(ofOutput: tokens)) == tokens)
        }
    }

    @Test("a reservation pays the likely output first, then the dearest prompt, then more output")
    func paid() {
        let need = OutputNeed(usualPrompt: 50, dearestPrompt: 100, perMillion: 1_000_000)
        #expect(need.output(reserving: 550, likely: 500) == 500)
        #expect(need.output(reserving: 580, likely: 500) == 500)
        #expect(need.output(reserving: 700, likely: 500) == 600)
        #expect(need.output(reserving: 300, likely: 500) == 250)
    }

    @Test("half of what is free bounds a large wish")
    func halves() {
        let limit = Limit(.total, Quota(1_000, .tokens, per: .hour))
        let limiter = Limiter(store: nil)
        func held() -> Int? {
            let charge = LimitCharge(limit, .everybody, units: 10, upTo: 100, ifHalfIsFree: 900)
            let held = limiter.reserveInMemory([charge])?.decision.held.first
            return held.map(\.units)
        }
        // Nobody settles, so all of it stays counted.
        #expect([held(), held(), held(), held(), held(), held()] == [500, 250, 125, 100, 25, nil])
    }
}
