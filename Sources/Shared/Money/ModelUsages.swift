/// The usage of several models for one response: of the model that wrote it, and of others that worked on it within the
/// vendor's call, such as an advisor.
package final class ModelUsages: Sendable, Equatable {
    package struct Part: Sendable, Equatable {
        /// The vendor's id of the model; nil for the one that wrote the response.
        package let model: String?
        package let usage: Usage

        package init(model: String?, usage: Usage) {
            self.model = model
            self.usage = usage
        }
    }

    /// The vendor's id of the model that wrote the response; nil for the requested one.
    package let writer: String?
    /// The parts of the usage beside the last call of the writer. The usage of the response contains them.
    package let others: [Part]

    package init(writer: String?, others: [Part]) {
        self.writer = writer
        self.others = others
    }

    package static func == (one: ModelUsages, other: ModelUsages) -> Bool {
        one.writer == other.writer && one.others == other.others
    }
}

extension ModelUsages? {
    package static func + (one: ModelUsages?, other: ModelUsages?) -> ModelUsages? {
        guard let one, let other else { return one ?? other }
        return ModelUsages(writer: other.writer ?? one.writer, others: one.others + other.others)
    }
}

extension Usage {
    /// Returns the usage of the writer's last call alone.
    package func ofWriter(_ models: ModelUsages) -> Usage {
        models.others.reduce(self) { rest, part in
            var rest = rest
            rest.promptTokens = max(0, rest.promptTokens - part.usage.promptTokens)
            rest.completionTokens = max(0, rest.completionTokens - part.usage.completionTokens)
            rest.cachedTokens = max(0, rest.cachedTokens - part.usage.cachedTokens)
            rest.cacheWriteTokens = max(0, rest.cacheWriteTokens - part.usage.cacheWriteTokens)
            rest.longCacheWriteTokens = max(0, rest.longCacheWriteTokens - part.usage.longCacheWriteTokens)
            return rest
        }
    }
}
