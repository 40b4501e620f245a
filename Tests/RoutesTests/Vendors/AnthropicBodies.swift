/// The bodies for Anthropic's API: see `VendorBodyTests`.
let anthropicBodies = #"""
    anthropic chat/completions claude-sonnet-4-5 {"max_tokens":null}
      {"max_tokens":64000,"stream":true}
    anthropic chat/completions claude-sonnet-4-5 {"max_tokens":999999}
      {"max_tokens":64000,"stream":true}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"system","content":"Be short."},{"role":"assistant","content":"I begin."},{"role":"user","content":"One"},{"role":"user","content":"Two"},{"role":"user","content":" \n"},{"role":"assistant","content":null,"tool_calls":[{"id":"call:1/\u00e9","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}},{"id":"b","type":"function","function":{"name":"weather","arguments":"[1]"}}]},{"role":"user","content":"I said something between."},{"role":"tool","tool_call_id":"call:1/\u00e9","content":"Sunny"},{"role":"developer","content":"And kind."},{"role":"assistant","content":""},{"role":"assistant","content":"So far. \n"}],"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      {"messages":[{"content":[{"text":".","type":"text"}],"role":"user"},{"content":[{"text":"I begin.","type":"text"}],"role":"assistant"},{"content":[{"text":"One","type":"text"},{"text":"Two","type":"text"}],"role":"user"},{"content":[{"id":"call_1___","input":{"city":"Rome"},"name":"weather","type":"tool_use"},{"id":"b","input":{"_raw":"[1]"},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"Sunny","type":"text"}],"tool_use_id":"call_1___","type":"tool_result"},{"content":"No result.","is_error":true,"tool_use_id":"b","type":"tool_result"},{"text":"I said something between.","type":"text"},{"text":"<system-reminder>\nAnd kind.\n</system-reminder>","type":"text"}],"role":"user"},{"content":[{"text":"So far.","type":"text"}],"role":"assistant"}],"system":[{"text":"Be short.","type":"text"}],"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-opus-4-8 {"messages":[{"role":"system","content":"Be short."},{"role":"assistant","content":"I begin."}]}
      {"messages":[{"content":[{"text":".","type":"text"}],"role":"user"},{"content":[{"text":"I begin.","type":"text"}],"role":"assistant"},{"content":[{"text":"Continue.","type":"text"}],"role":"user"}],"system":[{"text":"Be short.","type":"text"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"odd","arguments":""}}]},{"role":"user","content":"Go on"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"odd","arguments":""}}]}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"a","input":{},"name":"odd","type":"tool_use"}],"role":"assistant"},{"content":[{"content":"No result.","is_error":true,"tool_use_id":"a","type":"tool_result"},{"text":"Go on","type":"text"}],"role":"user"},{"content":[{"id":"a_2","input":{},"name":"odd","type":"tool_use"}],"role":"assistant"},{"content":[{"content":"No result.","is_error":true,"tool_use_id":"a_2","type":"tool_result"}],"role":"user"}],"tool_choice":{"type":"none"},"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"odd"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      {"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required"}
      {"tool_choice":{"type":"any"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"function","function":{"name":"weather"}}}
      {"tool_choice":{"name":"weather","type":"tool"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"none"}
      {"tool_choice":{"type":"none"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"parallel_tool_calls":false}
      {"tool_choice":{"disable_parallel_tool_use":true,"type":"auto"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required","parallel_tool_calls":false}
      {"tool_choice":{"disable_parallel_tool_use":true,"type":"any"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"twice","description":"a","parameters":{"type":"object"}}},{"type":"function","function":{"name":"once","description":"b","parameters":{"type":"object"}}},{"type":"function","function":{"name":"twice","description":"c","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"twice"}}}
      {"tool_choice":{"name":"twice","type":"tool"},"tools":[{"description":"a","input_schema":{"type":"object"},"name":"twice"},{"description":"b","input_schema":{"type":"object"},"name":"once"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"bare"}},{"type":"function","function":{"name":"strict","strict":true,"parameters":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"s":{"oneOf":[{"type":"string"},{"type":"null"}]}},"required":["n"],"additionalProperties":false}}},{"type":"function","function":{"name":"loose","parameters":{"properties":{}}}}]}
      {"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"bare"},{"input_schema":{"additionalProperties":false,"properties":{"n":{"description":"{minimum: 1}","type":"integer"},"s":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["n"],"type":"object"},"name":"strict","strict":true},{"input_schema":{"properties":{},"type":"object"},"name":"loose"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"properties":{}}}}]}
      {"tools":[{"input_schema":{"additionalProperties":false,"properties":{},"type":"object"},"name":"f","strict":true}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"properties":{"a":{"type":"string"}}}}}]}
      {"tools":[{"input_schema":{"additionalProperties":false,"properties":{"a":{"type":"string"}},"type":"object"},"name":"f","strict":true}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"a":{"type":"string"}}}}}}}]}
      {"tools":[{"input_schema":{"$defs":{"A":{"additionalProperties":false,"properties":{"a":{"type":"string"}},"type":"object"}},"additionalProperties":false,"properties":{"a":{"type":"string"}},"type":"object"},"name":"f","strict":true}]}
    anthropic chat/completions claude-opus-4-20250514 {"tools":[{"type":"function","function":{"name":"strict","strict":true,"parameters":{"type":"object","additionalProperties":false,"properties":{}}}}]}
      {"tools":[{"input_schema":{"additionalProperties":false,"properties":{},"type":"object"},"name":"strict"}]}
    anthropic chat/completions claude-3-7-sonnet {"temperature":1.7,"top_p":0.5}
      {"temperature":1,"top_p":0.5}
    anthropic chat/completions claude-sonnet-4-5 {"temperature":0.3,"top_p":0.5}
      {"temperature":0.3}
    anthropic chat/completions claude-sonnet-4-5 {"top_p":0.5}
      =
    anthropic chat/completions claude-opus-4-8 {"temperature":0.3,"top_p":0.5}
      {}
    anthropic chat/completions claude-sonnet-4-5 {"temperature":0.3,"reasoning_effort":"low"}
      {"max_tokens":2148,"thinking":{"budget_tokens":2048,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-5 {"seed":5,"presence_penalty":1,"logit_bias":{"1":2},"verbosity":"low","store":false,"prompt_cache_key":"k"}
      {}
    anthropic chat/completions claude-sonnet-4-5 {"stop":["END","\u00e9"]}
      {"stop_sequences":["END","\u00e9"]}
    anthropic chat/completions claude-sonnet-4-5 {"service_tier":"default"}
      {"service_tier":"auto"}
    anthropic chat/completions claude-sonnet-4-5 {"service_tier":"flex"}
      {}
    anthropic chat/completions claude-sonnet-4-5 {"user":"tom"}
      {"metadata":{"user_id":"e1608f75c5d7813f3d4031cb30bfb786507d98137538ff8e128a6ff74e84e643"}}
    anthropic chat/completions claude-sonnet-4-5 {"logprobs":true}
      400 unsupported_parameter logprobs
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","format":"wav"}}]}]}
      400 unsupported_parameter messages[0].content[0].input_audio.data
    anthropic chat/completions claude-3-7-sonnet {"reasoning_effort":"low","max_tokens":100}
      {"max_tokens":2148,"thinking":{"budget_tokens":2048,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-5 {"reasoning_effort":"medium","max_tokens":100}
      {"max_tokens":8292,"stream":true,"thinking":{"budget_tokens":8192,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-5 {"reasoning_effort":"xhigh","max_tokens":40000}
      {"max_tokens":64000,"stream":true,"thinking":{"budget_tokens":32000,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-5 {"reasoning_effort":"none","max_tokens":100}
      {}
    anthropic chat/completions claude-opus-4-5 {"reasoning_effort":"max","max_tokens":100}
      {"max_tokens":32100,"output_config":{"effort":"high"},"stream":true,"thinking":{"budget_tokens":32000,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-6 {"reasoning_effort":"xhigh","max_tokens":100}
      {"output_config":{"effort":"high"},"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-sonnet-4-6 {"reasoning_effort":"max","max_tokens":100}
      {"output_config":{"effort":"max"},"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-opus-4-8 {"reasoning_effort":"minimal","max_tokens":100}
      {"output_config":{"effort":"low"},"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-opus-4-8 {"reasoning_effort":"xhigh","max_tokens":100}
      {"output_config":{"effort":"xhigh"},"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-opus-4-8 {"reasoning_effort":"none","max_tokens":100}
      {"thinking":{"type":"disabled"}}
    anthropic chat/completions claude-sonnet-5-5 {"reasoning_effort":"none","max_tokens":100}
      {"thinking":{"type":"between_tools"}}
    anthropic chat/completions claude-opus-5-5 {"reasoning_effort":"none","max_tokens":100}
      {"output_config":{"effort":"low"}}
    anthropic chat/completions claude-opus-4-20250514 {"reasoning_effort":"max","max_tokens":31000}
      {"max_tokens":32000,"stream":true,"thinking":{"budget_tokens":16000,"type":"enabled"}}
    anthropic chat/completions other-model {"reasoning_effort":"high","max_tokens":5000}
      {"max_tokens":21384,"stream":true,"thinking":{"budget_tokens":16384,"type":"enabled"}}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"reasoning_effort":"low","messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"a","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"x","type":"text"}],"tool_use_id":"a","type":"tool_result"}],"role":"user"}],"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"reasoning_effort":"low","messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"a","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"x","type":"text"}],"tool_use_id":"a","type":"tool_result"}],"role":"user"}],"output_config":{"effort":"low"},"thinking":{"display":"summarized","type":"adaptive"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"reasoning_effort":"low","messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"},{"role":"user","content":"And?"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"a","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"x","type":"text"}],"tool_use_id":"a","type":"tool_result"},{"text":"And?","type":"text"}],"role":"user"}],"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"reasoning_effort":"low","messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"},{"role":"assistant","content":"Rain"},{"role":"user","content":"And?"}]}
      {"max_tokens":2148,"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"a","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"x","type":"text"}],"tool_use_id":"a","type":"tool_result"}],"role":"user"},{"content":[{"text":"Rain","type":"text"}],"role":"assistant"},{"content":[{"text":"And?","type":"text"}],"role":"user"}],"thinking":{"budget_tokens":2048,"type":"enabled"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"reasoning_effort":"low","tool_choice":"required"}
      {"tool_choice":{"type":"any"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"s":{"oneOf":[{"type":"string"},{"type":"null"}]}},"required":["n"]},"strict":true}}}
      {"output_config":{"format":{"schema":{"additionalProperties":false,"properties":{"n":{"description":"{minimum: 1}","type":"integer"},"s":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["n"],"type":"object"},"type":"json_schema"}}}
    anthropic chat/completions claude-opus-4-20250514 {"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"s":{"oneOf":[{"type":"string"},{"type":"null"}]}},"required":["n"]},"strict":true}}}
      {"messages":"*"}
    anthropic chat/completions claude-sonnet-4-5 {"response_format":{"type":"json_object"}}
      {"messages":"*"}
    anthropic chat/completions claude-opus-5-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required","reasoning_effort":"high"}
      {"messages":[{"content":[{"text":"Hello","type":"text"}],"role":"user"},{"content":[{"text":"You must call at least one of the tools now. Do not answer in text.","type":"text"}],"role":"system"}],"output_config":{"effort":"high"},"thinking":{"display":"summarized","type":"adaptive"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-opus-5-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"function","function":{"name":"weather"}},"reasoning_effort":"high"}
      {"messages":[{"content":[{"text":"Hello","type":"text"}],"role":"user"},{"content":[{"text":"You must call the tool \"weather\" now. Do not answer in text.","type":"text"}],"role":"system"}],"output_config":{"effort":"high"},"thinking":{"display":"summarized","type":"adaptive"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-opus-5-5 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required","parallel_tool_calls":false,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"}]}
      {"messages":[{"content":[{"text":"Weather?","type":"text"}],"role":"user"},{"content":[{"text":"You must call at least one of the tools now. Do not answer in text.","type":"text"}],"role":"system"}],"system":[{"text":"Be brief.","type":"text"}],"tool_choice":{"disable_parallel_tool_use":true,"type":"auto"},"tools":[{"description":"d","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-sonnet-4-5 {"stop":[" ","x"]}
      {}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQgeA=="}},{"type":"file","file":{"filename":"b.txt","file_data":"data:text/plain;base64,R3LDvMOfZQ=="}}]}]}
      {"messages":[{"content":[{"text":"Look","type":"text"},{"source":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","media_type":"image/png","type":"base64"},"type":"image"},{"source":{"data":"JVBERi0xLjQgeA==","media_type":"application/pdf","type":"base64"},"title":"a.pdf","type":"document"},{"source":{"data":"Gr\u00fc\u00dfe","media_type":"text/plain","type":"text"},"title":"b.txt","type":"document"}],"role":"user"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"system","content":[{"type":"text","text":"Be brief"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Here"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"role":"user","content":"And?"}]}
      {"messages":[{"content":[{"source":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","media_type":"image/png","type":"base64"},"type":"image"},{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"Here","type":"text"}],"role":"assistant"},{"content":[{"source":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","media_type":"image/png","type":"base64"},"type":"image"},{"text":"And?","type":"text"}],"role":"user"}],"system":[{"text":"Be brief","type":"text"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Hello "},{"type":"text","text":" \n"}]},{"role":"assistant","content":""}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"Hello","type":"text"}],"role":"assistant"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello\u00a0\u2003\u3000\u0085 "},{"role":"assistant","content":""}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"Hello","type":"text"}],"role":"assistant"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Hello "},{"type":"text","text":"you\u2003"}]},{"role":"assistant","content":""}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"Hello ","type":"text"},{"text":"you","type":"text"}],"role":"assistant"}]}
    anthropic chat/completions claude-sonnet-4-5 {"max_tokens":50,"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"system","content":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"T"}]},{"role":"user","content":[{"type":"text","text":"x","cache_control":null},{"type":"text","text":"y","cache_control":"odd"}]},{"role":"assistant","reasoning_content":"Hm","extra_content":{"thought_signature":"EqAB"},"content":[{"type":"text","text":"u"},{"type":"text","text":"v","cache_control":{"type":"ephemeral"}}],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"ok"},{"type":"text","text":"now","cache_control":{"type":"ephemeral"}}]}]}
      {"max_tokens":50,"messages":[{"content":[{"text":"x","type":"text"},{"text":"y","type":"text"}],"role":"user"},{"content":[{"signature":"EqAB","thinking":"Hm","type":"thinking"},{"text":"u","type":"text"},{"cache_control":{"type":"ephemeral"},"text":"v","type":"text"},{"id":"a","input":{},"name":"f","type":"tool_use"}],"role":"assistant"},{"content":[{"cache_control":{"type":"ephemeral"},"content":[{"text":"ok","type":"text"},{"text":"now","type":"text"}],"tool_use_id":"a","type":"tool_result"}],"role":"user"}],"system":[{"cache_control":{"ttl":"1h","type":"ephemeral"},"text":"S","type":"text"},{"text":"T","type":"text"}],"tools":[{"cache_control":{"type":"ephemeral"},"input_schema":{"properties":{},"type":"object"},"name":"f"}]}
    anthropic messages claude-opus-4-8 {"output_config":{"effort":"max"}}
      =
    anthropic chat/completions claude-opus-4-8 {"messages":[{"role":"system","content":"Top"},{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"A","type":"text"}],"role":"system"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic responses claude-opus-4-8 {"instructions":"Top","input":[{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"A","type":"text"}],"role":"system"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic chat/completions claude-sonnet-4-5 {"messages":[{"role":"system","content":"Top"},{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"},{"text":"<system-reminder>\nA\n</system-reminder>","type":"text"}],"role":"user"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic responses claude-sonnet-4-5 {"instructions":"Top","input":[{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"},{"text":"<system-reminder>\nA\n</system-reminder>","type":"text"}],"role":"user"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic chat/completions other-model {"messages":[{"role":"system","content":"Top"},{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"A","type":"text"}],"role":"system"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic responses other-model {"instructions":"Top","input":[{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"A","type":"text"}],"role":"system"},{"content":[{"text":"Yes","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"system":[{"text":"Top","type":"text"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"web_search_preview"},{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"},{"name":"web_search","type":"web_search_20250305"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"google_search"},{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"},{"name":"web_search","type":"web_search_20250305"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"web_search"}],"tool_choice":"required"}
      {"tools":[{"name":"web_search","type":"web_search_20250305"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}},{"type":"web_search"}],"tool_choice":{"type":"web_search"}}
      {"tool_choice":{"name":"web_search","type":"tool"},"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"},{"name":"web_search","type":"web_search_20250305"}]}
    anthropic responses claude-opus-4-8 {"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],"tool_choice":"auto"}
      {"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"},{"name":"web_search","type":"web_search_20250305"}]}
    anthropic responses claude-opus-4-8 {"tools":[{"type":"web_search"}],"tool_choice":"required"}
      {"tools":[{"name":"web_search","type":"web_search_20250305"}]}
    anthropic responses claude-opus-4-8 {"tools":[{"type":"web_search"},{"type":"function","name":"weather","parameters":{"type":"object","properties":{}}}],"tool_choice":{"type":"web_search"}}
      {"tool_choice":{"name":"web_search","type":"tool"},"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"},{"name":"web_search","type":"web_search_20250305"}]}
    anthropic responses claude-opus-4-8 {"tools":[{"type":"web_search","filters":{"allowed_domains":["a.example","b.example"]},"search_context_size":"low","user_location":{"type":"approximate","country":"NO","city":"Oslo"}}]}
      {"ignored":"search_context_size","tools":[{"allowed_domains":["a.example","b.example"],"name":"web_search","type":"web_search_20250305","user_location":{"city":"Oslo","country":"NO","type":"approximate"}}]}
    anthropic chat/completions claude-opus-4-8 {"web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"country":"NO","city":"Oslo"}}}}
      {"ignored":"search_context_size","tools":[{"name":"web_search","type":"web_search_20250305","user_location":{"city":"Oslo","country":"NO","type":"approximate"}}]}
    anthropic chat/completions claude-opus-4-8 {"web_search_options":{"allowed_domains":["a.example","b.example"],"max_uses":8}}
      {"tools":[{"allowed_domains":["a.example","b.example"],"max_uses":8,"name":"web_search","type":"web_search_20250305"}]}
    anthropic chat/completions claude-opus-4-8 {"web_search":true}
      {"tools":[{"name":"web_search","type":"web_search_20250305"}]}
    anthropic chat/completions claude-opus-4-8 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":null},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":null},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":""},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":""},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":[]},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":[]},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm."},{"role":"user","content":"More"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"call_1","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"sunny","type":"text"}],"tool_use_id":"call_1","type":"tool_result"}],"role":"user"},{"content":[{"id":"call_1_2","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"sunny","type":"text"}],"tool_use_id":"call_1_2","type":"tool_result"}],"role":"user"},{"content":[{"id":"call_1_3","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"sunny","type":"text"}],"tool_use_id":"call_1_3","type":"tool_result"}],"role":"user"},{"content":[{"id":"call_1_4","input":{},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"sunny","type":"text"}],"tool_use_id":"call_1_4","type":"tool_result"}],"role":"user"},{"content":[{"text":".","type":"text"}],"role":"assistant"},{"content":[{"text":"More","type":"text"}],"role":"user"}],"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"}]}
    anthropic chat/completions claude-opus-4-8 {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"\ufeff{\"city\":\"Rome\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"Sunny"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"id":"call_1","input":{"city":"Rome"},"name":"weather","type":"tool_use"}],"role":"assistant"},{"content":[{"content":[{"text":"Sunny","type":"text"}],"tool_use_id":"call_1","type":"tool_result"}],"role":"user"}],"tools":[{"input_schema":{"properties":{},"type":"object"},"name":"weather"}]}
    anthropic responses claude-opus-4-8 {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"So.","type":"text"}],"role":"assistant"},{"content":[{"text":"Hi","type":"text"}],"role":"user"}]}
    anthropic responses claude-opus-4-8 {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"messages":[{"content":[{"text":"Hi","type":"text"}],"role":"user"},{"content":[{"text":"So.","type":"text"}],"role":"assistant"},{"content":[{"text":"Hi","type":"text"}],"role":"user"}]}
    anthropic messages claude-opus-5-5 {"messages":[{"role":"tool","content":"a","new":{"deep":[null,1]}},{"role":"user","content":"Hi"}]}
      =
    anthropic messages claude-opus-5-5 {"thinking":{"type":"adaptive","display":"omitted","new":1}}
      =
    anthropic messages claude-opus-5-5 {"output_config":{"effort":"new","task_budget":{"type":"tokens","total":10000}}}
      =
    anthropic messages claude-opus-5-5 {"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"},{"type":"text","text":"S","cache_control":{"type":"ephemeral","scope":"global"}}]}
      {"system":[{"cache_control":{"scope":"global","type":"ephemeral"},"text":"S","type":"text"}]}
    anthropic messages claude-opus-5-5 {"system":[{"type":"new","data":"x"}]}
      =
    anthropic messages claude-opus-5-5 {"system":[{"type":"text","text":"0","cache_control":{"type":"ephemeral"}},{"type":"text","text":"1","cache_control":{"type":"ephemeral"}},{"type":"text","text":"2","cache_control":{"type":"ephemeral"}},{"type":"text","text":"3","cache_control":{"type":"ephemeral"}},{"type":"text","text":"4","cache_control":{"type":"ephemeral"}},{"type":"text","text":"5","cache_control":{"type":"ephemeral"}}]}
      =
    anthropic messages claude-opus-5-5 {"tools":[{"type":"memory_20270101","name":"memory","max":5}],"tool_choice":{"type":"new","names":["memory"]}}
      =
    anthropic messages claude-opus-5-5 {"tools":[{"name":"t","input_schema":{"type":"object","properties":{"\u00e9":{"enum":[1.0,100.0,10000000000000000000000]}}}},{"name":"t","input_schema":{"type":"object","properties":{"\u00e9":{"enum":[1.0,100.0,10000000000000000000000]}}}}]}
      =
    anthropic messages claude-opus-5-5 {"tools":[{"name":"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn","input_schema":{"type":"object","properties":{"\u00e9":{"enum":[1.0,100.0,10000000000000000000000]}}}}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"ToolSearch","input":{},"caller":{"type":"direct"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_reference","tool_name":"WebSearch"}]}]}],"tools":[{"name":"ToolSearch","input_schema":{"type":"object"}}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"ToolSearch","input":{},"caller":{"type":"direct"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}],"tools":[{"name":"ToolSearch","input_schema":{"type":"object"}}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_9","is_error":"maybe"}]}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"c2ln"},{"type":"redacted_thinking","data":"c2Vh"},{"type":"text","text":"A","citations":null}]},{"role":"user","content":"Hi"}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":[{"type":"video","source":{"deep":[{"er":null}]}}]}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":""},{"role":"assistant","content":[]}]}
      =
    anthropic messages claude-opus-5-5 {"messages":[]}
      =
    anthropic messages claude-opus-5-5 {"max_tokens":0}
      =
    anthropic messages claude-opus-5-5 {"max_tokens":10000000}
      =
    anthropic messages claude-opus-5-5 {"temperature":1.5,"top_p":2,"top_k":-1}
      =
    anthropic messages claude-opus-5-5 {"output_config":{"format":{"type":"grammar","text":"x"}}}
      =
    anthropic messages claude-opus-5-5 {"metadata":{"user_id":"{\"account\": \"a\"}","new":1}}
      {"metadata":{"new":1,"user_id":"4eaba920a72e40c8341246218f84412638ffa2b7b46737dc8b16a220dbee39ef"}}
    anthropic messages claude-opus-5-5 {"safeguards":{"a":true}}
      =
    anthropic messages claude-opus-5-5 {"diagnostics":[1]}
      =
    anthropic messages claude-opus-5-5 {"speed":"fast"}
      =
    anthropic messages claude-opus-5-5 {"fallbacks":[{"model":"claude-opus-5-5"}]}
      =
    anthropic messages claude-opus-5-5 {"container":{"skills":[]}}
      =
    anthropic messages claude-opus-5-5 {"thread":null}
      =
    anthropic messages claude-opus-5-5 {"service_tier":"new"}
      =
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"So \u2028 "}]}
      =
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","parameters":{"library_ids":["l"]}}]}
      400 invalid_request_error tools[0].parameters.library_ids[0]
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","collection_ids":["c"]}]}
      400 invalid_request_error tools[0].collection_ids[0]
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","knowledge_id":"k"}]}
      400 invalid_request_error tools[0].knowledge_id
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","container_ids":["c"]}]}
      400 invalid_request_error tools[0].container_ids[0]
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","skill_ids":["s"]}]}
      400 invalid_request_error tools[0].skill_ids[0]
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","input":{"connectorIds":["c"]}}]}
      400 invalid_request_error tools[0].input.connectorIds[0]
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","knowledge_base_ids":["k"]}]}
      400 invalid_request_error tools[0].knowledge_base_ids[0]
    anthropic messages claude-opus-5-5 {"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"new_thing","x":1}]}]}
      =
    anthropic messages claude-opus-5-5 {"tools":[{"type":"x_20270101","name":"x","server_url":"a/mcp"}]}
      400 invalid_request_error tools[0].server_url
    anthropic chat/completions claude-sonnet-4-5 {"max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":2048}}
      {"max_tokens":5000,"thinking":{"budget_tokens":2048,"type":"enabled"}}
    anthropic chat/completions claude-opus-4-8 {"thinking":{"type":"enabled"}}
      {"thinking":{"display":"summarized","type":"adaptive"}}
    anthropic chat/completions claude-opus-4-8 {"thinking":{"type":"disabled"},"top_k":4}
      {"thinking":{"type":"disabled"}}
    anthropic chat/completions claude-opus-4-8 {"reasoning":{"effort":"high","exclude":true}}
      {"output_config":{"effort":"high"},"thinking":{"display":"omitted","type":"adaptive"}}
    anthropic chat/completions claude-sonnet-4-5 {"top_k":4,"min_p":0.1,"thinking":{"type":"new"},"provider":{"order":["a"]},"chat_template_kwargs":null}
      {"ignored":"min_p, provider, thinking","top_k":4}
    """#
