"""Patches of the emulator by AWS service; :mod:`local.engine.parts` installs them in their order.

Lambda is in `lambda_worker` (with `lambda_bootstrap` on the functions' side), `async_invocation` and
`event_sources`; API Gateway in `rest_api` and `http_api`; IAM in `iam_policies` and `policy_grammar`.
"""
