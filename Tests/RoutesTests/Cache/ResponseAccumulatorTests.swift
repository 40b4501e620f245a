import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct ResponseAccumulatorTests {
    private func gathered(_ log: EventLog) -> ChatResponse {
        var gathered = ResponseAccumulator()
        while log.next({ gathered.append($0, $1) }) {}
        return ChatResponse(gathered.finished(), usage: nil)
    }

    /// A response with random events in any order that a vendor's stream can have.
    private func events(_ random: inout Seeded) -> EventLog {
        let log = EventLog()
        for choice in [0, 1, 5].shuffled(using: &random).prefix(random.below(3) + 1) {
            var calls = 0
            for _ in 0..<random.below(9) {
                withBytes(random.pick(["a", "\u{e9}\"", "{}", "long enough"])) { text in
                    switch random.below(9) {
                    case 0, 1: log.append(choice, .text(text))
                    case 2: log.append(choice, .reasoning(text))
                    case 3:
                        log.append(choice, .reasoning(text))
                        log.append(choice, .signature(call: nil, text))
                    case 4: log.append(choice, .encryptedReasoning(text))
                    case 5:
                        log.append(choice, .toolCall(index: calls, id: text, name: text))
                        log.append(choice, .toolArguments(index: calls, text))
                        if random.below(2) == 0 { log.append(choice, .signature(call: calls, text)) }
                        calls += 1
                    case 6: log.append(choice, .message(random.pick([nil, .commentary, .finalAnswer])))
                    case 7: log.append(choice, .annotation(text))
                    default: log.append(choice, .refusal(text))
                    }
                }
            }
            withBytes("END") {
                log.append(choice, .finish(random.pick([.stop, .length]), stop: random.below(2) == 0 ? $0 : nil))
            }
        }
        return log
    }

    @Test("what was gathered emits events that are gathered to the same response")
    func roundTrip() {
        var random = Seeded(4)
        for _ in 0..<3_000 {
            let first = gathered(events(&random))
            let log = EventLog()
            first.emit(log.append)
            #expect(shown(gathered(log).choices) == shown(first.choices))
        }
    }

    @Test("a response without an event is an empty choice")
    func nothing() {
        let choices = gathered(EventLog()).choices
        #expect(choices.count == 1 && choices[0].text?.bytes.isEmpty == true && choices[0].finish == .stop)
    }

    @Test("a long response is emitted in slices, with a wait between them")
    func slices() async throws {
        let text = String(repeating: "abcdefgh", count: 100_000)
        func stream() -> LoggedStream {
            let log = EventLog()
            withBytes(text) { log.append(0, .text($0)) }
            log.append(0, .finish(.length, stop: nil))
            return LoggedStream(log, usage: nil, credits: 3, original: Body(ByteBuffer("{}")))
        }
        let response = try await stream().gathered()
        #expect(response.choices.map { $0.text?.text } == [text] && response.choices[0].finish == .length)
        #expect(response.credits == 3 && response.original?.text == "{}")
        let sliced = stream()
        var (waits, atOnce, most) = (0, 0, 0)
        while try await sliced.more(patienceNanoseconds: 1) != .end {
            waits += 1
            atOnce = 0
            while sliced.next({ if case .text(let piece, _) = $1 { atOnce += piece.count } }) {}
            most = max(most, atOnce)
        }
        #expect(waits > 10 && most <= 2 * EventCursor.sliceBytes)
        let stopped = stream()
        stopped.stop()
        #expect(try await stopped.more(patienceNanoseconds: 1) == .end)
    }
}
