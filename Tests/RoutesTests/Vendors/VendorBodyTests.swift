import Foundation
import Support
import Testing

@testable import Engine
@testable import Routes
@testable import Shared
@testable import Upstream

/// Tests of the bodies that vendors get of requests to the chat endpoints.
///
/// Each row has two lines. The first one has the vendor, the endpoint, the vendor's model and the fields of a request.
/// The second one has the members in which the vendor's body differs from that of a plain request, or a refusal: its
/// status, code and parameter. There, null stands for a member that only the plain request has, `*` for any value, `=`
/// for the fields themselves, and `ignored` for what the response names as left out.
@Suite struct VendorBodyTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let vendor: String
        let endpoint: String
        let model: String
        let fields: String
        let told: String

        var testDescription: String { "\(vendor) \(endpoint) \(model) \(fields)" }

        static func rows(_ text: String) -> [Row] {
            let lines = text.split(separator: "\n").map(String.init)
            return stride(from: 0, to: lines.count - 1, by: 2).map { index in
                let parts = lines[index].split(separator: " ", maxSplits: 3).map(String.init)
                let told = lines[index + 1].drop { $0 == " " }
                return Row(
                    vendor: parts[0],
                    endpoint: parts[1],
                    model: parts[2],
                    fields: parts[3],
                    told: String(told)
                )
            }
        }
    }

    /// Returns the members of the vendor's body; of a request that is refused, the members of the error.
    private static func told(
        _ fields: [String: Any],
        _ row: Row,
        _ scene: VendorScene
    ) async -> (status: Int, members: [String: Any]) {
        scene.transport.follow([.refuse(400, "No.")])
        let earlier = scene.transport.calls.count
        let response = await scene.send(fields, to: row.endpoint)
        guard scene.transport.calls.count > earlier else {
            return (response.status, jsonMembers(response.body)["error"] as? [String: Any] ?? [:])
        }
        var told = jsonMembers(scene.transport.calls[earlier].body)
        let ignored = response.head.split(separator: "\r\n").first { $0.hasPrefix("X-Relay-Ignored: ") }
        told["ignored"] = ignored.map { String($0.dropFirst("X-Relay-Ignored: ".count)) }
        return (200, told)
    }

    @Test(
        "each vendor gets what a request means",
        arguments: [
            anthropicBodies, geminiBodies, vertexBodies, cohereBodies, cloudflareBodies, openAIBodies, responsesBodies,
            oneMinBodies,
        ].flatMap(Row.rows)
    )
    func bodies(row: Row) async {
        await onLoop { loop in
            let scene = VendorScene(row.vendor, model: row.model, on: loop)
            defer { scene.stop() }
            let plain = await Self.told([:], row, scene).members
            var (status, told) = await Self.told(jsonMembers(row.fields), row, scene)
            guard status == 200 else {
                let code = told["code"] as? String ?? told["type"] as? String ?? "-"
                // Anthropic's errors name the field in their text alone.
                let words = (told["message"] as? String ?? "").split(separator: "'", omittingEmptySubsequences: false)
                let quoted = row.endpoint == "messages" ? words.dropFirst().first.map(String.init) : nil
                let param = told["param"] as? String ?? quoted ?? "-"
                return #expect("\(status) \(code) \(param)" == row.told, "\(told)")
            }
            told = VendorScene.difference(told, from: plain)
            let expected = jsonMembers(row.told == "=" ? row.fields : row.told)
            for (name, value) in expected where value as? String == "*" && told[name] != nil { told[name] = "*" }
            #expect(sortedJSON(told) == sortedJSON(expected))
        }
    }
}
