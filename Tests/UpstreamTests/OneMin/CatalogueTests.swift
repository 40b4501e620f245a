import Engine
import Foundation
import Shared
import Testing
import Upstream

@Suite struct CatalogueTests {
    /// An object of models.json.
    private struct Listed: Decodable {
        let id: String
        let provider: String
        let features: [String]
        let vision: Bool
        let contextWindow: Int?
        let maxOutputTokens: Int?
    }

    private static let features: [String: Model.Features] = [
        "chat": .chat, "image": .image, "image_edit": .imageEdit, "image_inpaint": .imageInpaint,
        "image_variation": .imageVariation, "text_to_speech": .textToSpeech, "speech_to_text": .speechToText,
        "audio_translation": .audioTranslation, "code": .code,
    ]

    @Test("the generated table says what models.json says, in its order")
    func isCurrent() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let data = try Data(contentsOf: root.appending(path: "Sources/Upstream/OneMin/Catalogue/models.json"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let expected = try decoder.decode([Listed].self, from: data).compactMap { listed -> Model? in
            let features = listed.features.compactMap { Self.features[$0] }
            if features.isEmpty { return nil }
            return Model(
                id: listed.id,
                owner: listed.provider,
                features: Model.Features(features).subtracting(listed.id == "whisper-1" ? [] : .audioTranslation),
                hasVision: listed.vision,
                contextWindow: listed.contextWindow,
                maxOutputTokens: listed.maxOutputTokens
            )
        }
        #expect(expected.count > 150)
        #expect(Catalogue.oneMin.models.map(\.id) == expected.map(\.id))
        let differing = zip(Catalogue.oneMin.models, expected).filter { $0 != $1 }.map { $0.0 }
        #expect(differing == [])
    }

    @Test("models are found by id")
    func lookup() throws {
        let model = try #require(Catalogue.oneMin.model("gpt-4o-mini"))
        #expect(model.id == "gpt-4o-mini" && model.features.contains(.chat) && model.hasVision)
        #expect(Catalogue.oneMin.model("GPT-4o-mini") == nil && Catalogue.oneMin.model("") == nil)
        for model in Catalogue.oneMin.models { #expect(Catalogue.oneMin.model(model.id) == model) }
    }

    @Test("a short name is found like the id that it is short for")
    func shortNames() throws {
        let phoenix = try #require(Catalogue.oneMin.model("phoenix"))
        #expect(phoenix.owner == "leonardoai")
        #expect(Catalogue.oneMin.model("flux-schnell")?.id == "black-forest-labs/flux-schnell")
        #expect(Catalogue.oneMin.model("phoenix-2") == nil)
    }

    @Test("the short name of a model that is gone goes to the next of its family, and stays if there is none")
    func successors() {
        func listed(_ ids: String...) -> Catalogue {
            let live = ids.compactMap { LiveModel(id: $0, owner: "", features: .image, hasVision: false) }
            return Catalogue.oneMin.merged(with: live)
        }
        let flux = listed("gpt-image-1", "black-forest-labs/flux-2-pro", "black-forest-labs/flux-dev")
        #expect(flux.model("flux-schnell")?.id == "black-forest-labs/flux-dev")
        #expect(flux.model("flux-dev")?.id == "black-forest-labs/flux-dev")
        #expect(flux.model("phoenix") == nil && flux.model("black-forest-labs/flux-schnell") == nil)
        #expect(listed("black-forest-labs/flux-9").model("flux-schnell")?.id == "black-forest-labs/flux-9")
    }

    @Test("of two models with one id the first counts")
    func duplicates() {
        func model(_ owner: String) -> Model {
            Model(id: "a", owner: owner, features: .chat, hasVision: false, contextWindow: nil, maxOutputTokens: nil)
        }
        let catalogue = Catalogue([model("x"), model("y")])
        #expect(catalogue.models == [model("x")] && catalogue.model("a") == model("x"))
    }
}
