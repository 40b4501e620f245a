import Engine
import Glibc
import Limits
import Routes
import Shared
import Upstream

/// Fuzzes chat bodies. Every body gives a result, in a number of steps that its length bounds. An accepted body is then
/// written as a vendor's request, and passes the bounds of its output.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzChatBody(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var body = ByteBuffer()
    body.append(UnsafeRawBufferPointer(start: data, count: count))
    let parser = JSONParser()
    guard let root = try? parser.parse(body.bytes) else { return 0 }
    let steps = StepCount.of { read(root) }
    guard steps > stepsPerByte * count + fewSteps else { return 0 }
    print("property broken: \(steps) steps for \(count) bytes")
    fflush(nil)
    abort()
}

private let stepsPerByte = 8
/// The number of steps that is allowed for any length.
private let fewSteps = 2_000

private func read(_ root: JSONValue) {
    let call: ChatCall
    do throws(APIError) {
        call = try ChatCall(root, defaultModel: "gpt-4o-mini")
    } catch {
        demand(error.status == 400 || error.status == 404, "status \(error.status)")
        return
    }
    demand(call.stops.count <= 4 && call.choices <= 8 && !call.messages.isEmpty, "bounds")
    demand(
        call.attachments.allSatisfy { $0.name?.utf8.count ?? 0 <= StoredFile.givenNameLimitBytes },
        "a long file name"
    )
    demand(call.model.utf8.count <= Model.nameLimitBytes, "a long model name")
    var loaded = call
    for index in loaded.attachments.indices {
        loaded.attachments[index].kind = .file
        loaded.attachments[index].source = .kept("reference")
        loaded.attachments[index].name = "name"
    }
    let sent = call.textBytes
    let vendor = Echo(name: "echo", loop: loop)
    let billing = Admission(nil, holding: Limiter(store: nil).admitUncovered())
    let chat = vendor.prepare(
        loaded,
        for: model,
        by: Attempt(.none, billing: billing.billing, on: loop)
    )
    chat.write()
    demand(chat.promptTokens <= sent + 1, "\(chat.promptTokens) tokens of \(sent) bytes")
    bound(call)
    if let model = variationModel, let images = try? ImageCall(call, model) {
        demand(images.prompt.utf8.count <= sent, "a prompt of \(images.prompt.utf8.count) bytes")
    }
}

private let loop = EventLoop()
private let model = Model(chatModel: "echo", owner: "")
private let variationModel = Catalogue.oneMin.models.first { $0.features.contains(.imageVariation) }

/// Passes the messages through the output bounds as a vendor's output, cut in two ways.
private func bound(_ call: ChatCall) {
    var whole = OutputLimiter(stops: StopFinder(call.stops), maxTokens: call.maxTokens)
    var cut = OutputLimiter(stops: StopFinder(call.stops), maxTokens: call.maxTokens)
    var one = ByteBuffer()
    var two = ByteBuffer()
    for message in call.messages {
        let text = ByteBuffer(message.text)
        whole.consume(text.bytes) { one.append($0) }
        var position = 0
        for scalar in message.text.unicodeScalars {
            let end = position + UTF8.width(scalar)
            cut.consume(text.bytes[part: position..<end]) { two.append($0) }
            position = end
        }
    }
    whole.finish { one.append($0) }
    cut.finish { two.append($0) }
    demand(one.bytes.elementsEqual(two.bytes) && whole.reason == cut.reason, "a cut changes the answer")
}

private func demand(_ isSo: Bool, _ text: @autoclosure () -> String) {
    if isSo { return }
    print("property broken: \(text())")
    fflush(nil)
    abort()
}
