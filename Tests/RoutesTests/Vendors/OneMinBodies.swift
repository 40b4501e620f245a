/// The bodies for 1min.ai's API: see `VendorBodyTests`.
let oneMinBodies = #"""
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"  verbatim \n text "}]}
      {"promptObject":{"prompt":"  verbatim \n text "}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":[{"type":"input_text","text":"  verbatim "},{"type":"text","text":"\n text "}]}]}
      {"promptObject":{"prompt":"  verbatim \n text "}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":[{"type":"text","text":"  verbatim \n text ","cache_control":{"type":"ephemeral"}}]}]}
      {"promptObject":{"prompt":"  verbatim \n text "}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"  verbatim \n text "}]}]}
      {"promptObject":{"prompt":"  verbatim \n text "}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"text","name":"Ann"}]}
      {"promptObject":{"prompt":"text"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"system","content":[{"type":"text","text":"rule"},{"type":"text","text":"-1"}]},{"role":"user","content":[{"type":"text","text":"ask"},{"type":"text","text":"-1"}]},{"role":"assistant","content":[{"type":"text","text":"reply"},{"type":"text","text":"-1"}]},{"role":"user","content":[{"type":"text","text":"ask"},{"type":"text","text":"-2"}]}]}
      {"promptObject":{"prompt":"Instructions:\nrule\n-1\n\nUser: ask\n-1\n\nAssistant: reply\n-1\n\nUser: ask\n-2\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"ask-1"},{"role":"assistant","content":[{"type":"refusal","refusal":"I will not"}]},{"role":"user","content":"ask-2"}]}
      {"promptObject":{"prompt":"ask-1\n\nAssistant: I will not\n\nUser: ask-2\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"ask-1"},{"role":"assistant","content":null,"refusal":"I cannot","tool_calls":null},{"role":"user","content":"ask-2"}]}
      {"promptObject":{"prompt":"ask-1\n\nAssistant: I cannot\n\nUser: ask-2\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"How warm is it?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}],"content":null},{"role":"tool","tool_call_id":"call_1","content":"It is 7 degrees"},{"role":"user","content":"And tomorrow?"}]}
      {"promptObject":{"prompt":"How warm is it?\n\nAssistant: \nCalled weather [call_1] with {\"city\":\"Oslo\"}\n\nTool result: [call_1] It is 7 degrees\n\nUser: And tomorrow?\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"How warm is it?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"It is 7 degrees"},{"role":"user","content":"And tomorrow?"}]}
      {"promptObject":{"prompt":"How warm is it?\n\nAssistant: \nCalled weather [call_1] with {\"city\":\"Oslo\"}\n\nTool result: [call_1] It is 7 degrees\n\nUser: And tomorrow?\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"How warm is it?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}],"content":""},{"role":"tool","tool_call_id":"call_1","content":"It is 7 degrees"},{"role":"user","content":"And tomorrow?"}]}
      {"promptObject":{"prompt":"How warm is it?\n\nAssistant: \nCalled weather [call_1] with {\"city\":\"Oslo\"}\n\nTool result: [call_1] It is 7 degrees\n\nUser: And tomorrow?\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"How warm is it?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}],"content":"Let me see."},{"role":"tool","tool_call_id":"call_1","content":"It is 7 degrees"},{"role":"user","content":"And tomorrow?"}]}
      {"promptObject":{"prompt":"How warm is it?\n\nAssistant: Let me see.\nCalled weather [call_1] with {\"city\":\"Oslo\"}\n\nTool result: [call_1] It is 7 degrees\n\nUser: And tomorrow?\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"ask"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},{"id":"call_2","type":"function","function":{"name":"time","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"re"},{"type":"text","text":"sult-1"}]},{"role":"tool","tool_call_id":"call_2","content":"result-2"}]}
      {"promptObject":{"prompt":"ask\n\nAssistant: \nCalled weather [call_1] with {\"city\":\"Oslo\"}\nCalled time [call_2] with {}\n\nTool result: [call_1] re\nsult-1\n\nTool result: [call_2] result-2\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":"ask"},{"role":"assistant","content":null,"function_call":{"name":"weather","arguments":"{}"}},{"role":"function","name":"weather","content":"7 degrees"}]}
      {"promptObject":{"prompt":"ask\n\nAssistant: \nCalled weather with {}\n\nTool result: 7 degrees\n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":""}]}
      {"promptObject":{"prompt":"User: \n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"user","content":[{"type":"text","text":""}]}]}
      {"promptObject":{"prompt":"User: \n\n(Answer as the assistant, without a label.)"}}
    onemin chat/completions gpt-4o-mini {"messages":[{"role":"system","content":"rule"},{"role":"user","content":"ask-1"},{"role":"assistant","content":"reply-1"}],"new_input":"ask-2"}
      {"promptObject":{"prompt":"Instructions:\nrule\n\nUser: ask-1\n\nAssistant: reply-1\n\nUser: ask-2\n\n(Answer as the assistant, without a label.)"}}
    onemin messages gpt-4o-mini {"system":"Top","messages":[{"role":"system","content":"First"},{"role":"user","content":"Hi"},{"role":"system","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"},{"role":"system","content":[{"type":"text","text":"B"}]}]}
      {"promptObject":{"prompt":"Instructions:\nTop\n\nFirst\n\nUser: Hi\n\nUser: <system-reminder>\nA\n</system-reminder>\n\nAssistant: Yes\n\nUser: More\n\nUser: <system-reminder>\nB\n</system-reminder>\n\n(Answer as the assistant, without a label.)"}}
    onemin messages gpt-4o-mini {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]}
      {"promptObject":{"prompt":"Hello","settings":{"webSearchSettings":{"maxWord":500,"numOfSite":3,"webSearch":true}}}}
    onemin chat/completions gpt-4o-mini {"temperature":0.7,"top_p":0.5,"presence_penalty":2,"frequency_penalty":-2,"seed":-5,"logit_bias":{"50256":-100},"user":"u","store":true,"metadata":{"a":"b"},"service_tier":"flex","reasoning_effort":"low","verbosity":"low","prediction":{"type":"content","content":"x"},"prompt_cache_key":"k","safety_identifier":"s","modalities":["text"],"parallel_tool_calls":true,"tool_choice":"none","function_call":"auto","response_format":{"type":"text"},"logprobs":false,"top_logprobs":0,"n":1,"max_tokens":100000,"stop":"never","web_search":false}
      {}
    onemin chat/completions gpt-4o-mini {"thinking":{"type":"enabled"},"min_p":0.1}
      {"ignored":"min_p"}
    """#
