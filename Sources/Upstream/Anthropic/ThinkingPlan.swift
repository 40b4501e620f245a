import Engine
import Shared

/// The client's reasoning options, converted to the form that a Claude model supports.
struct ThinkingPlan {
    enum Kind {
        /// The request contains no member `thinking`.
        case unsaid
        case adaptive
        case disabled
        case betweenTools
        case budget(Int)
    }

    private(set) var kind = Kind.unsaid
    private(set) var effort: String?
    /// The way in which the response shows the reasoning: summarized or omitted; nil for the model's default.
    private(set) var display: ChatOptions.Reasoning.Display?
    /// Whether the reasoning budget is always added to the client's token limit. If false, the budget is added only to
    /// a limit that leaves no tokens for the output.
    private(set) var isOnTop = false

    private static let minBudget = 1_024
    /// The budgets of the efforts, in the order of `ChatOptions.efforts`.
    private static let budgets = [0, 2_048, 2_048, 8_192, 16_384, 32_000, 32_000]

    /// - Parameters:
    ///   - canThink: whether the request can use reasoning; false for a forced tool call.
    ///   - hasReasoning: whether the conversation contains the reasoning for the latest tool calls.
    init(_ reasoning: ChatOptions.Reasoning, _ model: ClaudeModel, canThink: Bool, hasReasoning: Bool) {
        let effortIndex = reasoning.effort.flatMap { effort in
            ChatOptions.efforts.firstIndex { $0.hasSameBytes(as: effort) }
        }
        switch model.thinking {
        case .none: break
        case .budget: planBudget(reasoning, effortIndex)
        case .adaptive(let off, let supportsBudget):
            planAdaptive(reasoning, effortIndex, off, supportsBudget: supportsBudget)
        }
        if let effortIndex, effortIndex > 0 || reasoning.thinking != nil {
            effort = effort ?? Self.effort(effortIndex, model)
        }
        if model.effort == .none { effort = nil }
        if case .budget = kind, !hasReasoning || !canThink { kind = .unsaid }
        if case .adaptive = kind, !canThink { kind = .unsaid }
    }

    var isThinking: Bool {
        switch kind {
        case .adaptive, .budget: true
        case .unsaid, .disabled, .betweenTools: false
        }
    }

    private mutating func planBudget(_ reasoning: ChatOptions.Reasoning, _ effortIndex: Int?) {
        switch reasoning.thinking {
        case .disabled, .unsaid: return
        case nil where effortIndex == nil && reasoning.budgetTokens == nil: return
        default: break
        }
        if effortIndex == 0, reasoning.budgetTokens == nil { return }
        isOnTop = reasoning.budgetTokens == nil
        kind = .budget(max(Self.minBudget, reasoning.budgetTokens ?? Self.budgets[effortIndex ?? 3]))
    }

    private mutating func planAdaptive(
        _ reasoning: ChatOptions.Reasoning,
        _ effortIndex: Int?,
        _ off: ClaudeModel.Off,
        supportsBudget: Bool
    ) {
        switch reasoning.thinking {
        case .unsaid: return
        case .adaptive: (kind, display) = (.adaptive, reasoning.display)
        case .budget:
            let budget = max(Self.minBudget, reasoning.budgetTokens ?? 0)
            (kind, display) = (supportsBudget ? .budget(budget) : .adaptive, reasoning.display ?? .summarized)
        case .disabled: turnOff(off)
        case nil where effortIndex == 0: turnOff(off)
        case nil where effortIndex != nil || reasoning.budgetTokens != nil:
            (kind, display) = (.adaptive, reasoning.display ?? .summarized)
        case nil: return
        }
    }

    private mutating func turnOff(_ off: ClaudeModel.Off) {
        switch off {
        case .disabled: kind = .disabled
        case .betweenTools: kind = .betweenTools
        case .none: effort = "low"
        }
    }

    /// Returns the name of the nearest effort that the model supports; nil if it supports none.
    /// - Parameter effortIndex: the index of the wanted effort in `ChatOptions.efforts`.
    private static func effort(_ effortIndex: Int, _ model: ClaudeModel) -> String? {
        let name = ChatOptions.efforts[max(2, effortIndex)]
        switch model.effort {
        case .none: return nil
        case .all: return name
        case .max: return effortIndex == 5 ? "high" : name
        case .high: return effortIndex > 4 ? "high" : name
        }
    }

    /// Returns the token limits of the request: `maxTokens` for the output with its reasoning, and `budget` for the
    /// reasoning alone; `budget` is nil if there is none.
    func bound(_ asked: Int?, _ model: ClaudeModel) -> (maxTokens: Int, budget: Int?) {
        // The maximum of another vendor's model is unknown.
        let most = model.isForeign ? Int(Int32.max) : model.maxTokens
        var bound = min(asked ?? model.maxTokens, most)
        guard case .budget(let budget) = kind else { return (bound, nil) }
        guard isOnTop || bound <= budget else { return (bound, budget) }
        // The response needs room besides its reasoning.
        let room = min(bound, most / 2)
        bound = min(most, bound + min(budget, most))
        return (bound, max(Self.minBudget, min(budget, bound - room)))
    }
}
