import Limits
import Shared

extension SQLiteStore: CopyTable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy] {
        try access { opened throws(SQLiteFailure) in
            let select = try opened.database.prepare("SELECT key, birth, version, record FROM limits WHERE key = ?")
            var found: [RecordCopy] = []
            for key in keys {
                select.add(key)
                if try select.step(),
                    let copy = RecordCopy(select.text(0), select.number(1), select.number(2), select.text(3))
                {
                    found.append(copy)
                }
                select.end()
            }
            return found
        }
    }

    func save(_ copies: [RecordCopy]) throws(UsageFailure) {
        try access { opened throws(SQLiteFailure) in
            let insert = "INSERT INTO limits (\(CopySQL.columns)) VALUES (?, ?, ?, ?, ?, ?)"
            var row = try opened.database.prepare(
                "\(insert) \(CopySQL.unlessNewer(in: "limits"))",
                textLimitBytes: CopySQL.textBound
            )
            try opened.transaction { () throws(SQLiteFailure) in
                for copy in copies {
                    copy.write(to: &row)
                    try row.run()
                }
                if let expired = copyCleaning.statement(deletingFrom: "limits") { try opened.database.execute(expired) }
            }
        }
    }
}
