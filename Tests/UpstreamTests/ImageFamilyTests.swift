import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct ImageFamilyTests {
    private static func models(_ feature: Model.Features) -> [String] {
        Catalogue.oneMin.models.filter { $0.features.contains(feature) }.map(\.id)
    }

    /// Returns the members as JSON; nil if they are refused with status 400 and the name of a field.
    private func members(_ family: ImageFamily, _ change: (inout ImageCall) -> Void) -> String? {
        var call = ImageCall(.generation)
        call.prompt = "a cat"
        change(&call)
        var body = ByteBuffer()
        do throws(APIError) {
            try family.append(call, to: &body)
            return body.text
        } catch {
            #expect(error.status == 400 && error.param != nil)
            return nil
        }
    }

    @Test("without a wish only what the vendor requires is sent", arguments: models(.image))
    func sendsNothing(_ model: String) {
        let family = ImageFamily.generation(of: model)
        let sent = members(family) { _ in }
        switch model {
        case "gpt-image-2": #expect(sent == #","size":"1024x1024","quality":"medium""#)
        case _ where model.hasPrefix("magic-art") || model.hasPrefix("midjourney"):
            #expect(sent == #","aspect_width":1,"aspect_height":1,"mode":"fast""#)
        case _ where model.utf8.count == 36 && !model.contains("/"): #expect(sent == #","size":"1024x1024""#)
        case "gpt-image-1", "gpt-image-1-mini": #expect(sent == #","quality":"medium""#)
        default: #expect(sent == "")
        }
    }

    @Test("each wish is sent, in the family's words, or refused", arguments: models(.image))
    func fulfilsOrRefuses(_ model: String) {
        let family = ImageFamily.generation(of: model)
        let usual = members(family) { _ in }
        for quality in ["standard", "hd", "low", "medium", "high"] {
            let sent = members(family) { $0.quality = quality }
            if family.qualities.isEmpty {
                #expect(sent == (quality == "standard" ? usual : nil))
            } else {
                #expect(family.qualities.contains { sent?.contains(#""quality":"\#($0)""#) ?? false })
            }
        }
        for format in ["png", "jpeg", "webp"] {
            let sent = members(family) { $0.outputFormat = format }
            let isKnown = family.formats.contains(format) || format == "jpeg" && family.formats.contains("jpg")
            #expect((sent != nil) == isKnown)
        }
        #expect((members(family) { $0.background = "opaque" } != nil) == family.backgrounds.contains("opaque"))
        #expect(members(family) { $0.background = "auto" } != nil)
        #expect((members(family) { $0.negativePrompt = "x" } != nil) == (family.negativeField != nil))
        #expect(members(family) { $0.mode = .relax } != nil)
        #expect(members(family) { $0.shape = .size(width: 1_000, height: 999) } == nil)
        #expect(members(family) { $0.prompt = String(repeating: "a", count: 32_001) } == nil)
    }

    @Test("all calls together bring as many as were wanted", arguments: models(.image), 1...10)
    func plans(_ model: String, _ wanted: Int) {
        let family = ImageFamily.generation(of: model)
        let plan = family.plan(wanted)
        #expect(plan.reduce(0, +) == wanted && plan.allSatisfy { $0 > 0 })
        for taken in plan {
            var body = ByteBuffer()
            family.append(count: taken, to: &body)
            switch family.count {
            case .one: #expect(taken == 1 && body.isEmpty)
            case .field(let name, let most, let isRequired):
                #expect(taken <= most)
                #expect(body.text == (taken > 1 || isRequired ? #","\#(name)":\#(taken)"# : ""))
            case .always(let count): #expect(taken <= count && body.text == #","n":\#(count)"#)
            }
        }
    }

    @Test("a ratio becomes a size or a ratio of exactly that shape", arguments: models(.image))
    func keepsRatio(_ model: String) {
        let family = ImageFamily.generation(of: model)
        for (width, height) in [(1, 1), (3, 2), (2, 3), (16, 9), (7, 4), (4, 3), (101, 100), (16_384, 16_383)] {
            let sent = members(family) { $0.shape = .ratio(width: width, height: height) } ?? ""
            let numbers = sent.split { !$0.isNumber }.compactMap { Int($0) }
            guard numbers.count >= 2 else { continue }
            #expect(numbers[0] * height == numbers[1] * width)
        }
    }

    @Test("editing and variation have families of their own")
    func others() {
        #expect(members(.edit(of: "gpt-image-1")) { _ in } == #","size":"1024x1024","quality":"medium""#)
        #expect(members(.edit(of: "qwen-image-edit-plus")) { _ in } == "")
        #expect(members(.variation(of: "dall-e-2")) { _ in } == "")
        #expect(members(.variation(of: "recraft")) { $0.quality = "hd" } == nil)
        for model in Self.models(.imageVariation) { #expect(ImageFamily.variation(of: model).negativeField == nil) }
    }
}
