package import Engine
package import Shared

/// The tools and fields of a request that only OpenAI's Responses API knows. A server with this API gets them as they
/// came.
package struct OwnParts: Sendable {
    package struct Tool: Sendable {
        /// The number of the request's known tools before this tool.
        package let toolsBefore: Int
        package var json: Body

        package init(toolsBefore: Int, json: Body) {
            self.toolsBefore = toolsBefore
            self.json = json
        }
    }

    package var tools: [Tool] = []
    /// The JSON of `tool_choice` if the relay cannot read it; otherwise nil.
    package var toolChoice: Body?
    /// The unknown fields of the request, of `reasoning` and of `text`, each as `,"name":value`; nil if there are none.
    package var fields: Body?
    package var reasoning: Body?
    package var text: Body?
    /// The further words of the list `include`, each as `,"word"`; nil if there are none.
    package var include: Body?
    /// The error for vendors without `Abilities.ownItems`, which names the first item or tool that they do not support.
    package var refusal: APIError?

    package init() {}

    package var isEmpty: Bool {
        refusal == nil && fields == nil && reasoning == nil && text == nil && include == nil
    }
}
