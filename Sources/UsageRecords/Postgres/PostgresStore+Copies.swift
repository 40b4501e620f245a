import Limits
import Shared

extension PostgresStore: CopyTable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy] {
        var array = UsageArrays(columns: 1, isPlain: false)
        for key in keys {
            array.begin()
            array.add(key)
        }
        let values = PostgresValues()
        array.end(in: values)
        let sql = "SELECT key, birth, version, record FROM relay_limits WHERE key = ANY ($1::text[])"
        return try access { connection throws(PostgresFailure) in
            try connection.run(sql, values).compactMap { row in
                RecordCopy(row[0], row[1].flatMap { Int($0) }, row[2].flatMap { Int($0) }, row[3])
            }
        }
    }

    func save(_ copies: [RecordCopy]) throws(UsageFailure) {
        var arrays = UsageArrays(columns: 6, isPlain: false, textLimitBytes: CopySQL.textBound)
        for copy in copies {
            arrays.begin()
            copy.write(to: &arrays)
        }
        let values = PostgresValues()
        arrays.end(in: values)
        let rows = "unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])"
        let insert = "INSERT INTO relay_limits (\(CopySQL.columns)) SELECT * FROM \(rows)"
        try access { connection throws(PostgresFailure) in
            _ = try connection.run("\(insert) \(CopySQL.unlessNewer(in: "relay_limits"))", values)
            if let expired = copyCleaning.statement(deletingFrom: "relay_limits") { _ = try connection.run(expired) }
        }
    }
}
