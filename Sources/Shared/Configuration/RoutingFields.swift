/// Request fields that would make a vendor use another model, server or account than the relay has chosen, such as
/// `fallbacks`. The relay rejects requests with these fields unless the settings allow them.
package enum RoutingFields {
    package static let names = [
        "models", "route", "preset", "fallbacks", "context_window_fallbacks", "engine", "deployment", "deployment_id",
        "user_config", "api_base", "base_url", "custom_llm_provider",
    ]
}
