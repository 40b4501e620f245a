import Engine
import Testing

@testable import Shared

@Suite struct ModelCatalogTests {
    private static let catalogue = Catalogue(
        ["m-z", "m-a", "gpt-4o", "pic"]
            .map { id in
                Model(
                    id: id,
                    owner: "x",
                    features: id == "pic" ? .image : .chat,
                    hasVision: false,
                    contextWindow: nil,
                    maxOutputTokens: nil
                )
            }
    )

    private func modelCatalog(_ file: String, _ catalogue: Catalogue = catalogue) throws -> (ModelCatalog, Settings) {
        let settings = try #require(outcome(file: file).settings)
        return (ModelCatalog(settings, [.onemin: catalogue]), settings)
    }

    private func names(_ modelCatalog: ModelCatalog, _ caller: Caller) -> [String] {
        modelCatalog.listed(for: caller).map(\.id)
    }

    private func known(_ settings: Settings) throws -> Caller { Caller(known: try #require(settings.keys.first)) }

    @Test("the subset comes first in its order, also what the catalogue does not know, then the catalogue by id")
    func subsetFirst() throws {
        let (modelCatalog, _) = try modelCatalog("SUBSET_OF_ONE_MIN_PERMITTED_MODELS=\" new , gpt-4o ,,new\"")
        #expect(names(modelCatalog, .visitor) == ["new", "gpt-4o", "m-a", "m-z", "pic"])
        #expect(modelCatalog.listed(for: .visitor).allSatisfy { $0.owner == "1minai" })
        let new = try #require(modelCatalog["new"].first?.model)
        #expect(new.id == "new" && new.features.contains([.chat, .image]) && !new.features.contains(.code))
    }

    private static let uuids = ["0a000000-0000-4000-8000-000000000000", "0b000000-0000-4000-8000-000000000000"]

    /// Returns a catalogue with a model whose UUID has a short name, and one without.
    private static func images() -> Catalogue {
        let models = (uuids + ["m-a", "taken"]).map { id in
            Model(id: id, owner: "x", features: .image, hasVision: false, contextWindow: nil, maxOutputTokens: nil)
        }
        let short = Catalogue(
            models,
            fullID: { $0 == "phoenix" ? uuids[0] : nil },
            shortName: { $0 == uuids[0] ? "phoenix" : nil }
        )
        let live = models.compactMap { model in
            var live = LiveModel(id: model.id, owner: "", features: .image, hasVision: false)
            live?.label = model.id == uuids[1] ? "Taken!" : "Any"
            return live
        }
        return short.merged(with: live)
    }

    @Test("a short name stands for each id that is a UUID, and both are accepted")
    func shortNames() throws {
        let limit = "RATE_LIMIT_BY_MODEL=phoenix=1/minute\n"
        let (modelCatalog, _) = try modelCatalog("SUBSET_OF_ONE_MIN_PERMITTED_MODELS=m-a\n" + limit, Self.images())
        // The vendor's name of the other model is taken.
        #expect(names(modelCatalog, .visitor) == ["m-a", "phoenix", "taken", "taken-0b00"])
        for (name, id) in [("phoenix", Self.uuids[0]), ("taken-0b00", Self.uuids[1])] {
            #expect(modelCatalog[name].map(\.model.id) == [id] && modelCatalog[id].map(\.model.id) == [id])
            #expect(modelCatalog.ruledName(id) == name && modelCatalog.ruledName(name) == name)
        }
        let other = "PROVIDER_O_KIND=onemin\nPROVIDER_E_KIND=echo\nPROVIDER_E_MODELS=phoenix=echo\nANONYMOUS_MODELS=all"
        let (beside, _) = try self.modelCatalog(other + "\nSUBSET_OF_ONE_MIN_PERMITTED_MODELS=m-a", Self.images())
        #expect(
            beside["phoenix"].map(\.model.id) == ["echo"] && beside[Self.uuids[0]].map(\.model.id) == [Self.uuids[0]]
        )
    }

    /// A catalogue of one model that has a short name.
    private static func flux(_ id: String) -> Catalogue {
        let model = Model(
            id: id,
            owner: "x",
            features: .image,
            hasVision: false,
            contextWindow: nil,
            maxOutputTokens: nil
        )
        return Catalogue([model], fullID: { "labs/" + $0 }, shortName: { $0 == id ? "flux-dev" : nil })
    }

    @Test("a caller who may use a model by one of its names may use it by the other")
    func rightsToBothNames() throws {
        let (id, start) = ("labs/flux-dev", "ONE_MIN_API_KEYS=v\nKEY_A_TOKEN=t\nKEY_A_MODELS=")
        for (settings, isGiven) in [
            (id, true), ("flux-dev", true), ("flux-*", true), ("other", false),
            ("\(id)\nKEY_A_GROUP=G\nGROUP_G_MODELS=flux-dev", true),
            ("\(id)\nKEY_A_GROUP=G\nGROUP_G_MODELS=other", false),
        ] {
            let (catalog, read) = try modelCatalog(start + settings, Self.flux(id))
            let caller = try known(read)
            for name in ["flux-dev", id] {
                #expect(catalog.mayUse(name, caller, ofPassthrough: false) == isGiven, "\(settings) \(name)")
            }
        }
        let other = "\nPROVIDER_E_KIND=echo\nPROVIDER_E_MODELS=flux-dev=echo"
        for (pattern, name) in [(id, "flux-dev"), ("flux-dev", id)] {
            let (beside, read) = try modelCatalog(start + pattern + other, Self.flux(id))
            #expect(!beside.mayUse(name, try known(read), ofPassthrough: false))
        }
    }

    @Test("limits count a model with a readable id under this id, by which of its names it is requested")
    func limitedNames() throws {
        let id = "labs/flux-dev"
        let catalogue = Self.flux(id)
        for subset in ["", "\nSUBSET_OF_ONE_MIN_PERMITTED_MODELS=flux-dev"] {
            let (catalog, _) = try modelCatalog("ONE_MIN_API_KEYS=v\nKEY_A_TOKEN=t" + subset, catalogue)
            #expect(catalog.limitedName(of: "flux-dev") == id && catalog.limitedName(of: id) == id)
            #expect(catalog.shortName(ofLimited: id) == "flux-dev")
            #expect(catalog.limitedModels.contains { $0 == (id, "flux-dev") })
        }
        let (fallback, _) = try modelCatalog("ONE_MIN_API_KEYS=v\nKEY_A_TOKEN=t\nFALLBACK_MODEL=flux-dev", catalogue)
        #expect(fallback.limitedName(ofFallback: id) == "flux-dev")
        let other = "PROVIDER_O_KIND=onemin\nPROVIDER_E_KIND=echo\nPROVIDER_E_MODELS=flux-dev=echo"
        let (beside, _) = try modelCatalog(other + "\nANONYMOUS_MODELS=all", catalogue)
        #expect(beside.limitedName(of: "flux-dev") == "flux-dev" && beside.shortName(ofLimited: id) == nil)
    }

    @Test("rights see the short name for both; a pattern that is the UUID means the same model")
    func rightsToShortNames() throws {
        for (pattern, isGiven) in [
            ("phoenix", true), (Self.uuids[0], true), ("0a*", false), ("all", true), ("m-a", false),
        ] {
            let file = "ONE_MIN_API_KEYS=v\nKEY_A_TOKEN=t\nKEY_A_MODELS=\(pattern)"
            let (modelCatalog, settings) = try modelCatalog(file, Self.images())
            let caller = try known(settings)
            #expect(
                names(modelCatalog, caller).contains("phoenix") == isGiven
                    && !names(modelCatalog, caller).contains(Self.uuids[0])
            )
            for name in ["phoenix", Self.uuids[0]] {
                #expect(modelCatalog.mayUse(name, caller, ofPassthrough: false) == isGiven, "\(pattern) \(name)")
            }
        }
    }

    @Test("with the subset only nothing else of 1min.ai is offered, by no alias either")
    func subsetOnly() throws {
        let file = """
            PERMIT_MODELS_FROM_SUBSET_ONLY=yes
            SUBSET_OF_ONE_MIN_PERMITTED_MODELS=m-a,gpt-4o
            PROVIDERS=v,w
            PROVIDER_V_KIND=onemin
            PROVIDER_W_KIND=onemin
            PROVIDER_W_MODELS=small=m-z,big=gpt-4o
            PROVIDER_E_KIND=echo
            ANONYMOUS_MODELS=all
            FALLBACK_MODEL=echo
            """
        let (modelCatalog, _) = try modelCatalog(file)
        #expect(names(modelCatalog, .visitor) == ["m-a", "gpt-4o", "big"])
        #expect(
            modelCatalog["m-z"].isEmpty && modelCatalog["small"].isEmpty
                && modelCatalog["big"].first?.model.id == "gpt-4o"
        )
        #expect(modelCatalog.substitutes(for: "small").isEmpty && modelCatalog.substitutes(for: "m-z").isEmpty)
        #expect(modelCatalog.substitutes(for: "never heard of").first?.model.id == "echo")
        #expect(modelCatalog.notFound("a-m", for: .visitor).message == "The model a-m does not exist.")
        #expect(
            modelCatalog.notFound("m-z", for: .visitor).message == "The model m-z does not exist. Did you mean `m-a`?"
        )
    }

    @Test("a bare alias does not show the vendor's name; providers in their order")
    func aliases() throws {
        let (modelCatalog, settings) = try modelCatalog(
            """
            PROVIDERS=e,v
            PROVIDER_V_KIND=onemin
            PROVIDER_V_API_KEY=v
            PROVIDER_V_MODELS=z=m-z,fast=gpt-4o,m-a
            PROVIDER_E_KIND=echo
            PROVIDER_E_LABEL=Echo
            PROVIDER_E_MODELS=say,fast=echo
            KEY_A_TOKEN=t
            """
        )
        let listed = modelCatalog.listed(for: try known(settings))
        #expect(listed.map(\.id) == ["say", "fast", "z", "m-a"])
        #expect(listed.map(\.owner) == ["Echo", "Echo", "1minai", "1minai"])
        #expect(listed.map(\.features) == [.chat, .chat, .chat, .chat])
        #expect(modelCatalog["gpt-4o"].isEmpty && modelCatalog["fast"].map(\.provider) == [0, 1])
    }

    @Test("each caller sees what it may use")
    func rights() throws {
        let (modelCatalog, settings) = try modelCatalog(
            """
            PROVIDER_V_KIND=onemin
            PROVIDER_E_KIND=echo
            PROVIDER_E_MODELS=one,two,three
            KEY_A_TOKEN=t
            KEY_A_MODELS=t*
            ANONYMOUS_MODELS=one
            """
        )
        let passing = Caller(passingOn: "k", Digest(of: "k"), models: settings.anonymousModels)
        #expect(names(modelCatalog, try known(settings)) == ["two", "three"])
        #expect(names(modelCatalog, Caller(anonymousWith: settings.anonymousModels)) == ["one"])
        #expect(names(modelCatalog, passing).first == "one" && names(modelCatalog, passing).count > 4)
        #expect(!names(modelCatalog, passing).contains("two"))
        #expect(modelCatalog.namesWithCredentials == ["one", "two", "three"])
    }

    @Test(
        "an unknown name is answered with the nearest of those that the caller may use",
        arguments: [
            ("gpt-4", "gpt-4o"), ("GPT-4O", "gpt-4o"), ("gtp-4o", "gpt-4o"), ("m-y", "m-a"), ("m-aa", "m-a"),
            ("x", nil),
            ("pix", "pic"), ("claude", nil), ("secret", nil), ("secre", nil), ("seen-2", "seen-1"), ("", nil),
            (String(repeating: "x", count: 300), nil),
        ] as [(String, String?)]
    )
    func nearest(name: String, near: String?) throws {
        let (modelCatalog, settings) = try modelCatalog(
            """
            PROVIDER_V_KIND=onemin
            PROVIDER_E_KIND=echo
            PROVIDER_E_MODELS=seen-1,secret
            ANONYMOUS_MODELS=seen*
            """
        )
        let caller = Caller(passingOn: "k", Digest(of: "k"), models: settings.anonymousModels)
        let message = modelCatalog.notFound(name, for: caller).message
        #expect(message.hasSuffix(near.map { " Did you mean `\($0)`?" } ?? " access to it."), "\(message)")
        let painter = modelCatalog.notFound("pi", for: caller, able: .chat).message
        #expect(painter.hasSuffix(" access to it."), "of what cannot chat nothing is named to who wants to chat")
    }

    @Test("only so many names are looked at")
    func manyNames() throws {
        let names = (0..<1_100).map { "model-number-\($0)" }.joined(separator: ",")
        let (modelCatalog, settings) = try modelCatalog(
            "PROVIDER_E_KIND=echo\nPROVIDER_E_MODELS=\(names),quite-other\nKEY_A_TOKEN=t"
        )
        let caller = try known(settings)
        #expect(modelCatalog.notFound("model-number-1x", for: caller).message.contains("`model-number-1`"))
        #expect(modelCatalog.notFound("quite-othe", for: caller).message.hasSuffix(" access to it."))
    }

    @Test("the vendor's list adds models, changes what known ones can do, and takes others away")
    func merging() throws {
        let live = [
            LiveModel(id: "new", owner: "o", features: [.chat, .code], hasVision: true),
            LiveModel(id: "m-a", owner: "o", features: [.chat, .image], hasVision: true),
        ]
        let merged = Self.catalogue.merged(with: live.compactMap { $0 })
        #expect(merged.models.map(\.id) == ["m-a", "new"])
        let changed = try #require(merged.model("m-a"))
        #expect(changed.features == [.chat, .image] && changed.hasVision && changed.owner == "x")
        #expect(merged.isGone("m-z") && !merged.isGone("m-a") && !merged.isGone("nobodys"))
        #expect(merged.model("new")?.hasVision == true)
    }

    @Test(
        "ids of the vendor's list that cannot be one are dropped",
        arguments: ["", "a b", "ä", "a\n", String(repeating: "x", count: 129)]
    )
    func oddIDs(id: String) { #expect(LiveModel(id: id, owner: "o", features: .chat, hasVision: false) == nil) }

    private static let two = """
        ANONYMOUS_MODELS=all
        PROVIDER_A_KIND=echo
        PROVIDER_A_MODELS=m,n
        PROVIDER_B_KIND=echo
        PROVIDER_B_MODELS=m,n
        FALLBACK_MODEL=n

        """

    @Test("those who serve a name stand by priority, then in their order")
    func priorities() throws {
        #expect(try modelCatalog(Self.two).0["m"].map(\.provider) == [0, 1])
        #expect(try modelCatalog(Self.two + "PROVIDERS=b").0["m"].map(\.provider) == [0, 1])
        #expect(try modelCatalog(Self.two + "PROVIDER_A_PRIORITY=2").0["m"].map(\.provider) == [1, 0])
    }

    @Test("a weight of 0 takes a model from a provider; where nobody has another, it is unknown")
    func weights() throws {
        let half = try modelCatalog(Self.two + "PROVIDER_A_WEIGHT=0\nPROVIDER_A_WEIGHTS=n=2.5").0
        #expect(half["m"].map(\.provider) == [1] && half["n"].map(\.rank.weight) == [2.5, 1])
        let none = try modelCatalog(Self.two + "PROVIDER_A_WEIGHTS=m=0\nPROVIDER_B_WEIGHTS=m=0").0
        #expect(none["m"].isEmpty && none.substitutes(for: "m").isEmpty && !none.substitutes(for: "other").isEmpty)
        #expect(!none.names.contains("m"))
    }

    @Test("a weight of a model that its provider does not have is a mistake, or a warning where a catalogue may grow")
    func strayWeights() {
        let wrong = outcome(file: Self.two + "PROVIDER_A_WEIGHTS=x=1,m=2").problemTexts
        #expect(wrong == [".env:7  PROVIDER_A_WEIGHTS: PROVIDER_A_MODELS does not contain \"x\""])
        let own = "PROVIDER_A_KIND=onemin\nPROVIDER_A_WEIGHTS=gpt-4o=1,unknown=2"
        #expect(outcome(file: own).problemTexts.isEmpty)
    }
}
