import Support
import Testing

@testable import Engine
@testable import Shared

@Suite struct IssuerStateTests {
    private let clock = ManualClock()

    private func keys(_ ids: String...) throws -> [IssuedKey] {
        let rows = ids.map { id in
            #"{"kty":"OKP","crv":"Ed25519","kid":"\#(id)","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        }
        return try set(rows.joined(separator: ","))
    }

    private func set(_ rows: String) throws -> [IssuedKey] {
        let text = ByteBuffer(#"{"keys":[\#(rows)]}"#)
        return IssuedKey.all(in: try #require(JSONDocument(Body(text))))
    }

    private func step(_ state: inout IssuerState, _ id: String?) -> String {
        let name = IssuedKey.Name(algorithm: .edDSA, id: id.map { Digest(of: $0) })
        return switch state.step(name, at: clock.now) {
        case .key: "key"
        case .unknown: "unknown"
        case .unavailable(let seconds): "again in \(seconds)"
        case .reading(let begins): begins ? "asks" : "waits"
        }
    }

    @Test("the first request asks, the others wait, and then the key is known for an hour")
    func first() throws {
        var state = IssuerState()
        #expect(step(&state, "a") == "asks" && step(&state, "a") == "waits" && step(&state, "b") == "waits")
        #expect(try state.store(keys("a"), at: clock.now).isEmpty)
        #expect(step(&state, "a") == "key")
        clock.advance(milliseconds: 3_599_999)
        #expect(step(&state, "a") == "key")
        clock.advance(milliseconds: 1)
        #expect(step(&state, "a") == "asks")
    }

    @Test("unknown names ask once a minute, and known ones never wait for them")
    func storm() throws {
        var state = IssuerState()
        _ = step(&state, "a")
        _ = try state.store(keys("a"), at: clock.now)
        for turn in 0..<1_000 { #expect(step(&state, "storm-\(turn)") == "unknown") }
        clock.advance(milliseconds: 59_999)
        #expect(step(&state, "b") == "unknown")
        clock.advance(milliseconds: 1)
        #expect(step(&state, "b") == "asks" && step(&state, "c") == "waits" && step(&state, "a") == "key")
        _ = try state.store(keys("b"), at: clock.now)
        #expect(step(&state, "b") == "key" && step(&state, "a") == "unknown", "the keys were replaced")
    }

    @Test("without a key the time of the next question is told, and known keys stay in use while the issuer is away")
    func away() throws {
        var state = IssuerState()
        _ = step(&state, "a")
        _ = state.store([], at: clock.now)
        clock.advance(milliseconds: 500)
        #expect(step(&state, "a") == "again in 10")
        clock.advance(milliseconds: 9_500)
        #expect(step(&state, "a") == "asks")
        _ = try state.store(keys("a"), at: clock.now)
        clock.advance(milliseconds: 3_600_000)
        #expect(step(&state, "a") == "asks" && step(&state, "a") == "waits")
        _ = state.store([], at: clock.now)
        #expect(step(&state, "a") == "key" && step(&state, "b") == "unknown")
        clock.advance(milliseconds: 60_000)
        #expect(step(&state, "a") == "asks")
    }

    @Test("a token without a key's name means the only key of its algorithm")
    func unnamed() throws {
        var state = IssuerState()
        _ = step(&state, nil)
        _ = try state.store(keys("a"), at: clock.now)
        #expect(step(&state, nil) == "key")
        clock.advance(milliseconds: 3_600_000)
        _ = step(&state, nil)
        _ = try state.store(keys("a", "b"), at: clock.now)
        #expect(step(&state, nil) == "unknown")
    }

    @Test(
        "keys for other uses and algorithms are left out",
        arguments: [
            #""use":"enc","#, #""alg":"RS256","#, #""alg":"none","#, #""crv":"X25519","#, #""kty":"oct","k":"AAAA","#,
            #""x":"AA","#,
        ]
    )
    func unusable(_ members: String) throws {
        let row = #"{\#(members)"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
        #expect(try set(row).isEmpty)
    }
}
