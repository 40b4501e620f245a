import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// Tests of the vendors without a server. `VendorContract` has the others.
@Suite struct ChatVendorTests {
    enum Kind: String, CaseIterable, Sendable {
        case echo
        case scripted

        /// Returns a vendor whose output is `hello there`.
        func vendor(on loop: EventLoop) -> any ChatVendor {
            switch self {
            case .echo: Echo(name: rawValue, loop: loop)
            case .scripted:
                ScriptedVendor([[[.text("hello "), .text("there"), .finish(.stop)]]])
            }
        }
    }

    private func asked<Value: Sendable>(
        _ kind: Kind,
        isStreamed: Bool,
        _ read: @escaping @Sendable (any PreparedChat, Attempt) async -> Value?
    ) async -> Value? {
        await onLoop { loop in
            let vendor = kind.vendor(on: loop)
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let call = chatCall(isStreamed: isStreamed)
            let attempt = Attempt(.none, billing: admission.billing, on: loop)
            let chat = vendor.prepare(call, for: anyModel, by: attempt)
            chat.write()
            return await read(chat, attempt)
        }
    }

    @Test("a stream has the whole answer, and ends each choice once", arguments: Kind.allCases)
    func streams(_ kind: Kind) async {
        let heard = await asked(kind, isStreamed: true) { chat, attempt in
            do throws(UpstreamError) {
                return await hear(try await chat.open(isStreamed: true, by: attempt))
            } catch {
                return ChoiceOutput(failure: error.kind)
            }
        }
        #expect(heard?.texts == [0: "hello there"] && heard?.ends == [0: [.stop]] && heard?.failure == nil)
    }

    @Test("a whole answer has the text of each choice", arguments: Kind.allCases)
    func answers(_ kind: Kind) async {
        let text = await asked(kind, isStreamed: false) { chat, attempt in
            do throws(UpstreamError) {
                return try await chat.gathered(by: attempt).choices.map { $0.text?.text ?? "" }
            } catch {
                return ["\(error.kind)"]
            }
        }
        #expect(text == ["hello there"])
    }

    @Test("a call may be made several times, and its prompt is counted", arguments: Kind.allCases)
    func repeats(_ kind: Kind) async {
        let tokens = await asked(kind, isStreamed: true) { chat, attempt in
            for _ in 0..<3 {
                do throws(UpstreamError) {
                    let heard = await hear(try await chat.open(isStreamed: true, by: attempt))
                    guard heard.texts == [0: "hello there"] else { return 0 }
                } catch {
                    return 0
                }
            }
            return chat.promptTokens
        }
        #expect(tokens ?? 0 > 0)
    }
}
