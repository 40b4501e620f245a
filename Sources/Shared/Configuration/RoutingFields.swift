/// Request fields that would make a vendor use another model, server or account, such as `fallbacks`.
package enum RoutingFields {
    package static let names = [
        "models", "route", "preset", "fallbacks", "context_window_fallbacks", "engine", "deployment", "deployment_id",
        "user_config", "api_base", "base_url", "custom_llm_provider",
    ]
}
