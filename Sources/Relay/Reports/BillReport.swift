import Engine
import Shared
import UsageRecords

/// The bill of one request, for the command `usage --bill ID`.
struct BillReport: Report {
    private let calls: [UsageRecord]

    /// Reads the upstream calls of the request from the database of the settings. Blocks.
    init(_ id: String, _ settings: Settings) throws(UsageFailure) {
        guard let database = settings.usageDatabase else {
            throw UsageFailure("bills are only in a database; set DATA_DIR or USAGE_DATABASE_URL")
        }
        calls = try UsageQueryRunner.calls(ofRequest: id, in: database)
        if calls.isEmpty { throw UsageFailure("no upstream call belongs to this request id") }
    }

    private var total: Cost { calls.compactMap(\.cost).reduce(.nothing, +) }
    private var unpriced: Int { calls.count { $0.cost == nil } }

    func text(isColoured: Bool) -> String {
        var table = TextTable(["PROVIDER", "MODEL", "UNIT", "AMOUNT", "PRICE", "USD"])
        for call in calls {
            var names = [call.provider ?? "-", call.modelUsed ?? "-"]
            let lines = call.bill?.lines ?? []
            if lines.isEmpty { table.rows.append(names + ["", "", "", call.cost?.exactText ?? "no price is known"]) }
            for line in lines {
                let numbers = ["\(line.amount)", line.price.exactText, line.product.exactText]
                table.rows.append(names + [line.unit] + numbers)
                names = ["", ""]
            }
        }
        table.rows.append(["total", "", "", "", "", (unpriced > 0 ? "≥ " : "") + total.exactText])
        table.rightAligned = [3, 4]
        let text = table.text(isColoured: isColoured, colours: [table.rows.count - 1: 1])
        return text + (unpriced > 0 ? "\(unpriced) of \(calls.count) calls without a price.\n" : "")
    }

    var json: JSONFragment {
        let calls = calls.map { call -> JSONFragment in
            let lines = (call.bill?.lines ?? []).map(JSONFragment.init(line:))
            let cost: JSONFragment = call.cost.map(\.number) ?? "null"
            return #"""
                {"provider":\#(call.provider),"model":\#(call.modelUsed),"cost":\#(cost),"lines":\#(lines)}
                """#
        }
        return #"""
            {"calls":\#(calls),"cost":\#(total.number),"cost_is_partial":\#(unpriced > 0),"unpriced":\#(unpriced)}
            """#
    }
}
