/// Refusals of vendors and what changes after them: see `RefusedBodyTests`.
let refusedBodies = #"""
    openai chat/completions mended {"max_tokens":9}
      400 {"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}
      kept {"max_completion_tokens":9,"max_tokens":null}
    openai chat/completions mended {"max_completion_tokens":9}
      422 {"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}
      kept {"max_completion_tokens":null,"max_tokens":9}
    openai chat/completions mended {"temperature":0.5}
      400 {"error":{"message":"Unsupported parameter: 'temperature'","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}
      kept {"temperature":null}
    openai chat/completions mended {"temperature":0.5}
      400 {'error': {'message': "Unsupported parameter: 'temperature'"}}
      kept {"temperature":null}
    openai chat/completions mended {"top_p":0.5}
      400 {"error":{"message":"Unsupported parameter: 'top_p'","type":"invalid_request_error","param":"top_p","code":"unsupported_parameter"}}
      kept {"top_p":null}
    openai chat/completions mended {"presence_penalty":0.5}
      400 {"error":{"message":"Unsupported parameter: 'presence_penalty'","type":"invalid_request_error","param":"presence_penalty","code":"unsupported_parameter"}}
      kept {"presence_penalty":null}
    openai chat/completions mended {"frequency_penalty":0.5}
      400 {"error":{"message":"Unsupported parameter: 'frequency_penalty'","type":"invalid_request_error","param":"frequency_penalty","code":"unsupported_parameter"}}
      kept {"frequency_penalty":null}
    openai chat/completions mended {"store":false}
      400 {"error":{"message":"Unsupported parameter: 'store'","type":"invalid_request_error","param":"store","code":"unsupported_parameter"}}
      kept {"store":null}
    openai chat/completions mended {"prompt_cache_key":"k"}
      400 {"error":{"message":"Unsupported parameter: 'prompt_cache_key'","type":"invalid_request_error","param":"prompt_cache_key","code":"unsupported_parameter"}}
      kept {"prompt_cache_key":null}
    openai chat/completions mended {"prompt_cache_retention":"24h"}
      400 {"error":{"message":"Unsupported parameter: 'prompt_cache_retention'","type":"invalid_request_error","param":"prompt_cache_retention","code":"unsupported_parameter"}}
      kept {"prompt_cache_retention":null}
    openai chat/completions mended {"user":"u"}
      400 {"error":{"message":"Unsupported parameter: 'user'","type":"invalid_request_error","param":"user","code":"unsupported_parameter"}}
      kept {"user":null}
    openai chat/completions mended {"metadata":{"a":"b"}}
      400 {"error":{"message":"Unsupported parameter: 'metadata'","type":"invalid_request_error","param":"metadata","code":"unsupported_parameter"}}
      kept {"metadata":null}
    openai chat/completions mended {"service_tier":"auto"}
      400 {"error":{"message":"Unsupported parameter: 'service_tier'","type":"invalid_request_error","param":"service_tier","code":"unsupported_parameter"}}
      kept {"service_tier":null}
    openai chat/completions mended {"verbosity":"low"}
      400 {"error":{"message":"Unsupported parameter: 'verbosity'","type":"invalid_request_error","param":"verbosity","code":"unsupported_parameter"}}
      kept {"verbosity":null}
    openai chat/completions mended {"safety_identifier":"s"}
      400 {"error":{"message":"Unsupported parameter: 'safety_identifier'","type":"invalid_request_error","param":"safety_identifier","code":"unsupported_parameter"}}
      kept {"safety_identifier":null}
    openai chat/completions mended {"store":true,"stop":["x"]}
      400 {"error":{"message":"property 'store' is unsupported, did you mean 'stop'?","type":"invalid_request_error"}}
      kept {"store":null}
    openai chat/completions mended {"metadata":{"a":"b"}}
      400 {"error":{"message":"The 'metadata' parameter is only allowed when 'store' is enabled.","type":"invalid_request_error"}}
      kept {"metadata":null}
    openai chat/completions mended {"store":false,"prompt_cache_key":"k","prompt_cache_retention":"24h","user":"u","metadata":{"a":"b"},"service_tier":"auto","verbosity":"low","safety_identifier":"s"}
      422 {"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","prompt_cache_key"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","prompt_cache_retention"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","user"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","metadata"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","service_tier"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","verbosity"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","safety_identifier"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}
      kept {"metadata":null,"prompt_cache_key":null,"prompt_cache_retention":null,"safety_identifier":null,"service_tier":null,"store":null,"user":null,"verbosity":null}
    openai chat/completions mended {"temperature":0.5}
      400 {"error":{"message":"temperature does not support 0.5 with this model. Only the default (1) value is supported.","type":"invalid_request_error"}}
      kept {"temperature":null}
    openai chat/completions mended {"messages":[{"role":"developer","content":"x"},{"role":"user","content":"y"}]}
      400 {"error":{"message":"messages[0].role: unknown variant `developer`, expected one of `system`, `user`","type":"invalid_request_error"}}
      kept {"messages":[{"content":"x","role":"system"},{"content":"y","role":"user"}]}
    openai chat/completions mended {"reasoning_effort":"high","tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"Function tools with reasoning_effort are not supported for this model on this path","type":"invalid_request_error","param":"reasoning_effort"}}
      kept {"reasoning_effort":"none"}
    openai chat/completions mended {"reasoning_effort":"minimal"}
      400 {"error":{"message":"Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: 'low', 'medium', and 'high'.","type":"invalid_request_error","param":"reasoning_effort","code":"unsupported_value"}}
      kept {"reasoning_effort":"low"}
    openai chat/completions mended {"reasoning_effort":"low"}
      400 {"error":{"message":"Unknown parameter: 'reasoning_effort'","type":"invalid_request_error","code":"unknown_parameter","param":"reasoning_effort"}}
      kept {"reasoning_effort":null}
    openai chat/completions mended {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"parallel_tool_calls":false}
      400 {"error":{"message":"Unsupported parameter: parallel_tool_calls","type":"invalid_request_error"}}
      kept {"parallel_tool_calls":null}
    openai chat/completions mended {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":true}}]}
      400 {"error":{"message":"tools[0].function.strict: Extra inputs are not permitted","type":"invalid_request_error","param":"tools.0.function.strict"}}
      kept {"tools":[{"function":{"name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}]}
    openai chat/completions mended {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}},{"type":"function","function":{"name":"b","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}},{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}},{"type":"function","function":{"name":"b","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"Tool names must be unique.","type":"invalid_request_error"}}
      kept {"tools":[{"function":{"name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"},{"function":{"name":"b","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}]}
    openai chat/completions mended {"seed":3}
      422 {"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}
      kept {"random_seed":3,"seed":null}
    openai chat/completions mended {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_long","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_long","content":"fine"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"Tool call id was call_long but must be a-z, A-Z, 0-9, with a length of 9.","type":"invalid_request_error"}}
      kept {"messages":[{"content":"Hi","role":"user"},{"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"KART6BZlN","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"KART6BZlN"}]}
    openai chat/completions mended {"messages":[{"role":"user","name":"x","content":"y"}]}
      400 {"error":{"message":"messages[0].name: Extra inputs are not permitted","type":"invalid_request_error","param":"messages[0].name"}}
      kept {"messages":[{"content":"y","role":"user"}]}
    openai chat/completions mended {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_long","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_long","content":"fine"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"messages[1].content: expected a string, got null","type":"invalid_request_error"}}
      kept {"messages":[{"content":"Hi","role":"user"},{"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"call_long","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"call_long"}]}
    openai chat/completions mended {"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}
      400 {"error":{"message":"messages[0].content must be a string","type":"invalid_request_error"}}
      kept {"messages":[{"content":"a\nb","role":"user"}]}
    openai chat/completions mended {"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"call_long","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_long","content":"fine"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"Failed to deserialize the JSON body into the target type: messages[0]: invalid type: sequence, expected a string at line 1 column 97","type":"invalid_request_error"}}
      kept {"messages":[{"content":"a\nb","role":"user"},{"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"call_long","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"call_long"}]}
    openai chat/completions mended {"max_completion_tokens":9}
      422 {"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}
      kept {"max_completion_tokens":null,"max_tokens":9}
    openai chat/completions mended {"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"system","content":"s"},{"role":"assistant","content":"b"},{"role":"assistant","content":"c"}]}
      400 {"error":{"message":"Conversation roles must alternate user/assistant/user/assistant/...","type":"invalid_request_error"}}
      kept {"messages":[{"content":[{"text":"a","type":"text"},{"text":"a","type":"text"},{"text":"b","type":"text"},{"text":"\n\n<system-reminder>\ns\n</system-reminder>","type":"text"}],"role":"user"},{"content":"b\n\nc","role":"assistant"}]}
    responses chat/completions m1 {"reasoning_effort":"minimal"}
      400 {"error":{"message":"Unsupported value: 'minimal' is not supported with this model. Supported values are: 'none', 'low', and 'high'.","param":"reasoning.effort","code":"unsupported_value"}}
      kept {"reasoning":{"effort":"none","summary":"auto"}}
    responses chat/completions m2 {"reasoning_effort":"low"}
      400 {"error":{"message":"Unsupported parameter: 'reasoning.effort' is not supported with this model.","param":"reasoning.effort","code":"unsupported_parameter"}}
      kept {"reasoning":{"summary":"auto"}}
    responses chat/completions m3 {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      400 {"error":{"message":"Unknown parameter: 'tools[0].strict'.","param":"tools[0].strict","code":"unknown_parameter"}}
      kept {"tools":[{"name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"},"type":"function"}]}
    responses chat/completions m4 {"verbosity":"low","response_format":{"type":"json_object"}}
      400 {"error":{"message":"Unknown parameter: 'text.verbosity'.","param":"text.verbosity","code":"unknown_parameter"}}
      kept {"text":{"format":{"type":"json_object"}}}
    responses chat/completions m5 {"metadata":{"a":"b"},"user":"u"}
      400 {"error":{"message":"Unknown parameter: 'metadata'.","param":"metadata","code":"unknown_parameter"}}
      kept {"metadata":null}
    anthropic chat/completions claude-sonnet-4-5-x {"temperature":0.5}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"`temperature` is deprecated for this model."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"temperature":null}
    anthropic chat/completions other {"temperature":0.5,"top_p":0.5}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"`temperature` and `top_p` cannot both be specified for this model."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"top_p":null}
    anthropic chat/completions other {"temperature":0.5,"top_p":0.5}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"top_p is not supported on this model"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"temperature":null,"top_p":null}
    anthropic chat/completions claude-sonnet-4-5-x {"reasoning_effort":"low"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"thinking is not supported on this model"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"thinking":null}
    anthropic chat/completions claude-sonnet-4-5-x {"reasoning_effort":"low"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\""},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-opus-4-8-x {"reasoning_effort":"none"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"\"thinking.type.disabled\" is not supported; use \"between_tools\""},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"thinking":{"type":"between_tools"}}
    anthropic chat/completions claude-opus-4-8-x {"reasoning_effort":"none"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"\"thinking.type.disabled\" is not supported for this model"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"thinking":null}
    anthropic chat/completions claude-opus-4-8-x {"reasoning_effort":"low"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"output_config.effort: Extra inputs are not permitted"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"output_config":null}
    anthropic chat/completions claude-opus-4-8-x {"reasoning_effort":"max"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"effort 'max' is not supported by this model"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"output_config":{"effort":"high"}}
    anthropic chat/completions claude-sonnet-4-5-x {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"This model does not support assistant message prefill. The conversation must end with a user message."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"},{"content":[{"text":"b","type":"text"}],"role":"assistant"},{"content":[{"text":"Continue.","type":"text"}],"role":"user"}]}
    anthropic chat/completions claude-sonnet-4-5-x {"reasoning_effort":"low"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      once {"thinking":null}
    anthropic chat/completions other {"reasoning_effort":"low"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"The `content[].thinking` in the thinking mode must be passed back to the API."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      once {"thinking":{"type":"disabled"}}
    anthropic chat/completions claude-sonnet-4-5-x {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"I said.","reasoning_content":"Hm","extra_content":{"thought_signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}},{"role":"user","content":"b"}]}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      once {"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"},{"content":[{"text":"I said.","type":"text"}],"role":"assistant"},{"content":[{"text":"b","type":"text"}],"role":"user"}]}
    anthropic chat/completions claude-sonnet-4-5-x {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"I said.","reasoning_content":"Hm","extra_content":{"thought_signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}},{"role":"user","content":"b"}]}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `data` in `redacted_thinking` block"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      once {"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"},{"content":[{"text":"I said.","type":"text"}],"role":"assistant"},{"content":[{"text":"b","type":"text"}],"role":"user"}]}
    anthropic chat/completions claude-sonnet-4-5-x {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"I said.","reasoning_content":"Hm","extra_content":{"thought_signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}},{"role":"user","content":"b"}]}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      once {"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"},{"content":[{"text":"I said.","type":"text"}],"role":"assistant"},{"content":[{"text":"b","type":"text"}],"role":"user"}]}
    anthropic chat/completions claude-sonnet-4-5-x {"tools":[{"type":"function","function":{"name":"weather","strict":true,"parameters":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}}]}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"tools.0.custom.strict: Extra inputs are not permitted"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"tools":[{"input_schema":{"additionalProperties":false,"properties":{"n":{"type":"integer"}},"required":["n"],"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5-x {"service_tier":"auto"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"service_tier: Extra inputs are not permitted"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"service_tier":null}
    anthropic chat/completions claude-sonnet-4-5-x {"user":"me"}
      400 {"type":"error","error":{"type":"invalid_request_error","message":"metadata: Extra inputs are not permitted"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
      kept {"metadata":null}
    cohere chat/completions command-x {"max_tokens":9000}
      400 {"id":"1","message":"max tokens must be less than or equal to 8001"}
      kept {"max_tokens":8001}
    cohere chat/completions command-a-reasoning-08-2025 {"reasoning_effort":"low"}
      400 {"id":"1","message":"thinking is not supported for this model"}
      kept {"thinking":null}
    cohere chat/completions command-x {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"strict":true}}]}
      400 {"id":"1","message":"strict_tools is not supported"}
      kept {"strict_tools":null}
    cohere chat/completions command-x {"seed":5,"temperature":0.5}
      400 {"id":"1","message":"seed is not supported"}
      kept {"seed":null}
    cohere chat/completions command-x {"frequency_penalty":0.5}
      400 {"id":"1","message":"frequency_penalty is not supported"}
      kept {"frequency_penalty":null}
    cohere chat/completions command-x {"max_tokens":9000}
      400 {"id":"1","message":"too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 9000."}
      kept {"max_tokens":4096}
    """#
