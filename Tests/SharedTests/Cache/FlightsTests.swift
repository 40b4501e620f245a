import Engine
import Support
import Testing

@testable import Shared

@Suite struct FlightsTests {
    private let key = AnswerKey(Digest(of: "one"))

    @Test("the first leads, as many as may wait do, and the rest go alone; a lead that is dropped passes on")
    func places() async {
        let flights = Flights(bound: 2)
        let texts: [String] = await onLoop { [key] loop in
            guard case .leads(let lead) = flights.join(key, on: loop),
                case .waits(let one) = flights.join(key, on: loop),
                case .waits(let other) = flights.join(key, on: loop), case .full = flights.join(key, on: loop),
                case .leads = flights.join(AnswerKey(Digest(of: "other")), on: loop)
            else { return ["wrong places"] }
            lead.end()
            lead.end(with: .unkept)
            var texts = ["\(flights.waiting)"]
            let end = loop.now + 10_000_000_000
            if case .leads(let next) = await one.outcome(until: end) {
                next.end(with: .answer(Body(ByteBuffer("an answer"))))
            }
            if case .answer(let answer) = await other.outcome(until: end) { texts.append(answer.text) }
            if case .leads = flights.join(key, on: loop) { texts.append("anew") }
            return texts + ["\(flights.waiting)"]
        }
        #expect(texts == ["1", "an answer", "anew", "0"])
    }

    @Test("who waits too long gives up the place")
    func late() async {
        let flights = Flights()
        let isLate: Bool = await onLoop { [key] loop in
            guard case .leads(let lead) = flights.join(key, on: loop),
                case .waits(let seat) = flights.join(key, on: loop)
            else { return false }
            guard case .late = await seat.outcome(until: loop.now) else { return false }
            lead.end()
            return flights.waiting == 0
        }
        #expect(isLate)
    }
}
