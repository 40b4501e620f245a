import Engine
import Shared

/// A table of the models that callers may name. A model has one row for each provider that serves it, a panel one row.
struct ModelTable: Report {
    private struct Row {
        let name: String
        let provider: String
        let model: String
        let priority: Int
        let weight: Double
        let price: Price?
        let end: Day?
        let facts: ModelFacts
        /// The state of the model in the vendor's list; nil if the vendor's list was not read.
        var listing: Listing?
    }

    /// The state of a model in a vendor's model list, such as disabled or absent.
    private enum Listing {
        case active
        case dated(Day)
        case disabled
        case absent

        init(_ model: LiveModel?) {
            guard let model else {
                self = .absent
                return
            }
            self = model.isDisabled ? .disabled : model.markedDay.map { .dated($0) } ?? .active
        }

        var text: String {
            switch self {
            case .active: ""
            case .dated(let day): "dated \(day.text)"
            case .disabled: "disabled"
            case .absent: "not on the list"
            }
        }
    }

    private let rows: [Row]
    private let panels: [Panel]
    /// The names of the providers that serve all models on their vendor's list; empty if the vendors' lists were read.
    private let listed: [String]
    private let isLive: Bool

    /// - Parameter live: the vendors' model lists; nil if no list was read.
    init(_ settings: Settings, _ catalogues: Catalogues, live: VendorLists? = nil) {
        let known = live?.known
        var all = [ModelCatalog(settings, catalogues, lists: known?.lists ?? [:])]
        if let known { all.append(ModelCatalog(settings, known.catalogues, lists: known.lists)) }
        var seen: Set<String> = []
        rows = all.flatMap { modelCatalog in
            modelCatalog.names.filter { seen.insert($0).inserted }.flatMap { name in
                modelCatalog[name].map {
                    Self.row(name, $0, modelCatalog: modelCatalog, settings: settings, live: live)
                }
            }
        }
        panels = all[0].panels.all
        listed = live == nil ? settings.providers.filter(\.servesList).map(\.name) : []
        isLive = live != nil
    }

    private static func row(
        _ name: String,
        _ servedModel: ModelCatalog.ServedModel,
        modelCatalog: ModelCatalog,
        settings: Settings,
        live: VendorLists?
    ) -> Row {
        var row = Row(
            name: name,
            provider: settings.providers[servedModel.provider].name,
            model: servedModel.model.id,
            priority: servedModel.rank.priority,
            weight: servedModel.rank.weight,
            price: servedModel.price,
            end: servedModel.model.shutdownDate,
            facts: modelCatalog.facts(of: name, at: servedModel.provider)
        )
        if let list = live?.models(at: servedModel.provider) {
            row.listing = Listing(list.first { $0.id == row.model })
        }
        return row
    }

    func text(isColoured: Bool) -> String {
        let names = [
            "MODEL", "PROVIDER", "UPSTREAM NAME", "PRIORITY", "WEIGHT", "USD/1000", "CONTEXT", "OUTPUT", "CAN", "ENDS",
        ]
        var table = TextTable(names + (isLive ? ["LIST"] : []))
        table.rows = rows.map { row in
            var cells = [row.name, row.provider, row.model == row.name ? "" : row.model, "\(row.priority)"]
            cells += [Self.text(row.weight), row.price?.text ?? ""]
            cells += [row.facts.contextWindow, row.facts.maxOutputTokens].map { tokens in tokens.map { "\($0)" } ?? "" }
            cells += [row.facts.words.joined(separator: ","), row.end?.text ?? ""]
            if isLive { cells.append(row.listing?.text ?? "not read") }
            return cells
        }
        table.rows += panels.map { panel in
            let models = (panel.text.members + [panel.text.summary]).joined(separator: ",")
            return [panel.name, "panel", models] + table.heading.dropFirst(3).map { _ in "" }
        }
        let more = listed.map {
            "\($0) also serves the models that its vendor lists; GET /v1/models of the running relay shows these.\n"
        }
        return table.text(isColoured: isColoured) + more.joined()
    }

    var json: JSONFragment {
        let models = rows.map { row -> JSONFragment in
            let listing = row.listing.map { $0.text.isEmpty ? "active" : $0.text }
            return #"""
                {"model":\#(row.name),"provider":\#(row.provider),"upstream":\#(row.model),"priority":\#(row.priority),\#
                "weight":\#(JSONFragment(stringLiteral: Self.text(row.weight))),"price":\#(row.price?.text),\#
                "shutdown_date":\#(row.end?.text)\#(members: row.facts.members)\#(member: "list", isLive ? .some(listing) : nil)}
                """#
        }
        let panels = panels.map { panel -> JSONFragment in
            #"""
            {"model":\#(panel.name),"provider":null,"upstream":null,"priority":null,"weight":null,"price":null,\#
            "shutdown_date":null,"panel":\#(panel.text.members + [panel.text.summary])}
            """#
        }
        return "\(models + panels)"
    }

    private static func text(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }
}
