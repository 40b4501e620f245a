import Engine
import Shared

/// The models that settings offer: a row for each provider that serves one.
struct ModelTable {
    private struct Row {
        let name: String
        let provider: String
        let model: String
        let priority: Int
        let weight: Double
        let price: Price?
        let end: Day?
    }

    private let rows: [Row]
    /// Providers whose lists are read only while the relay serves.
    private let listed: [String]

    init(_ settings: Settings, _ catalogues: Catalogues) {
        let offers = Offers(settings, catalogues)
        var seen: Set<String> = []
        rows = offers.names.filter { seen.insert($0).inserted }.flatMap { name in
            offers[name].map { offer in
                Row(
                    name: name,
                    provider: settings.providers[offer.provider].name,
                    model: offer.model.id,
                    priority: offer.rank.priority,
                    weight: offer.rank.weight,
                    price: offer.price,
                    end: offer.model.shutdownDate
                )
            }
        }
        listed = settings.providers.filter(\.servesList).map(\.name)
    }

    func text(isColoured: Bool) -> String {
        var table = TextTable("MODEL", "PROVIDER", "ITS NAME THERE", "PRIORITY", "WEIGHT", "USD/1000", "ENDS")
        table.rows = rows.map { row in
            [
                row.name, row.provider, row.model == row.name ? "" : row.model, "\(row.priority)",
                Self.text(row.weight),
                row.price?.text ?? "", row.end?.text ?? "",
            ]
        }
        let more = listed.map {
            "\($0) also serves what its vendor lists; GET /v1/models of the running relay shows these.\n"
        }
        return table.text(isColoured: isColoured) + more.joined()
    }

    var json: String {
        var body = ByteBuffer()
        body.append("[")
        for (index, row) in rows.enumerated() {
            body.append(index == 0 ? #"{"model":"# : #",{"model":"#)
            body.append(json: row.name)
            body.append(#","provider":"#)
            body.append(json: row.provider)
            body.append(#","upstream":"#)
            body.append(json: row.model)
            body.append(#","priority":"#)
            body.append(decimal: row.priority)
            body.append(#","weight":"#)
            body.append(Self.text(row.weight))
            body.append(#","price":"#)
            body.append(jsonOrNull: row.price?.text)
            body.append(#","shutdown_date":"#)
            body.append(jsonOrNull: row.end?.text)
            body.append("}")
        }
        body.append("]\n")
        return body.text
    }

    private static func text(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }
}
