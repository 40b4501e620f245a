import Engine
import Support
import Testing

@testable import Shared

@Suite struct RequestCoalescerTests {
    private let key = CacheKey(Digest(of: "one"))

    @Test("the first leads, as many as may wait do, and the rest go alone; a lead that is dropped passes on")
    func order() async {
        let coalescer = RequestCoalescer(bound: 2)
        let texts: [String] = await onLoop { [key] loop in
            guard case .leads(let lead) = coalescer.join(key, on: loop),
                case .waits(let one) = coalescer.join(key, on: loop),
                case .waits(let other) = coalescer.join(key, on: loop), case .full = coalescer.join(key, on: loop),
                case .leads = coalescer.join(CacheKey(Digest(of: "other")), on: loop)
            else { return ["wrong places"] }
            lead.end()
            lead.end(with: .uncacheable)
            var texts = ["\(coalescer.waiting)"]
            let end = loop.now + 10_000_000_000
            if case .leads(let next) = await one.outcome(until: end) {
                next.end(with: .response(Body(ByteBuffer("an answer"))))
            }
            if case .response(let response) = await other.outcome(until: end) { texts.append(response.text) }
            if case .leads = coalescer.join(key, on: loop) { texts.append("anew") }
            return texts + ["\(coalescer.waiting)"]
        }
        #expect(texts == ["1", "an answer", "anew", "0"])
    }

    @Test("who waits too long gives up the place")
    func late() async {
        let coalescer = RequestCoalescer()
        let isLate: Bool = await onLoop { [key] loop in
            guard case .leads(let lead) = coalescer.join(key, on: loop),
                case .waits(let coalescedWaiter) = coalescer.join(key, on: loop)
            else { return false }
            guard case .late = await coalescedWaiter.outcome(until: loop.now) else { return false }
            lead.end()
            return coalescer.waiting == 0
        }
        #expect(isLate)
    }
}
