import Foundation
import Support
import Testing

@testable import Engine
@testable import Routes
@testable import Shared

/// Tests of the bodies that vendors get after they have refused a request.
///
/// Each row has three lines: the vendor, the endpoint, the model and the fields of a request; the status and the body of
/// the refusal; and the members in which the second body differs from the first, null if it lacks them. A change is
/// `kept` for later requests, or made `once`.
@Suite struct RefusedBodyTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let request: [String]
        let refusal: [String]
        let change: [String]

        static func rows(_ text: String) -> [Row] {
            let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
            return stride(from: 0, to: lines.count - 2, by: 3).map { index in
                Row(
                    testDescription: "\(lines[index]) \(lines[index + 1])",
                    request: lines[index].split(separator: " ", maxSplits: 3).map(String.init),
                    refusal: lines[index + 1].split(separator: " ", maxSplits: 1).map(String.init),
                    change: lines[index + 2].split(separator: " ", maxSplits: 1).map(String.init)
                )
            }
        }
    }

    /// A whole response of each vendor that has an API of its own.
    private static let served = [
        "openai":
            #"{"choices":[{"index":0,"message":{"role":"assistant","content":"{}"},"finish_reason":"stop"}]}"#,
        "responses":
            #"{"id":"r","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"{}"}]}]}"#,
        "anthropic": #"{"type":"message","content":[{"type":"text","text":"{}"}],"stop_reason":"end_turn"}"#,
        "cohere": #"{"id":"1","finish_reason":"COMPLETE","message":{"content":[{"type":"text","text":"{}"}]}}"#,
    ]

    @Test("a refused request is changed as the refusal says", arguments: Row.rows(refusedBodies))
    func changed(row: Row) async throws {
        let served = CallStep.answer(200, try #require(Self.served[row.request[0]]))
        let refused = CallStep.answer(try #require(Int(row.refusal[0])), row.refusal[1])
        await onLoop { loop in
            let scene = VendorScene(row.request[0], model: row.request[2], on: loop)
            defer { scene.stop() }
            let fields = jsonMembers(row.request[3])
            scene.transport.follow([refused], [served], [served])
            for _ in 0..<2 {
                let response = await scene.send(fields, to: row.request[1])
                #expect(response.status == 200, "\(response.body)")
            }
            let bodies = scene.transport.calls.map { jsonMembers($0.body) }
            guard bodies.count == 3 else {
                Issue.record("\(bodies.count) calls: \(bodies)")
                return
            }
            let told = VendorScene.difference(bodies[1], from: bodies[0])
            #expect(sortedJSON(told) == sortedJSON(jsonMembers(row.change[1])))
            let later = row.change[0] == "kept" ? bodies[1] : bodies[0]
            #expect(sortedJSON(bodies[2]) == sortedJSON(later))
        }
    }
}
